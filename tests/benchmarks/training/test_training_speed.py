"""The comparison with PyTorch compares the same training."""

import json
import os
import subprocess

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.harness.timing import ROOT
from benchmarks.training import training_speed, training_speed_ours
from trainer import cpu_kernels
from trainer.core.config import ModelConfig
from trainer.model import l2net

needs_torch = pytest.mark.skipif(
    not training_speed.PYTHON.exists(), reason="no PyTorch: make bench-env"
)
_COUNT = """
import json
from benchmarks.training.training_speed_torch import network
sizes = {width: sum(p.numel() for p in network(width).parameters()) for width in (0.25, 0.5, 1.0)}
print(json.dumps(sizes))
"""


def test_operations_of_the_convolutions():
    # Channels 1-1-2-2-4-4 on sides 32-32-16-16-8-8, then 8 x 8 x 4 x 128.
    products = [9216, 9216, 4608, 9216, 4608, 9216, 32768]
    expected = 2 * 2 * products[0] + 2 * 3 * sum(products[1:])
    assert training_speed.training_operations(1 / 32) == expected


def test_blocks_have_whole_steps():
    assert training_speed.block_steps(0.25, 512) == 6
    assert training_speed.block_steps(1.0, 1024) == 1


def test_operations_are_summed_up_by_kind():
    seconds = {
        "MklNativeConv2D": 3.0,
        "MklNativeConv2DBackpropFilter": 2.0,
        "MklNativeFusedBatchNormEx": 2.0,
        "ReluGrad": 1.0,
        "MklMatMul": 2.0,
    }
    assert training_speed_ours.shares(seconds) == pytest.approx(
        {"convolutions": 0.5, "batch norm": 0.2, "ReLU": 0.1, "rest": 0.2}
    )


@pytest.mark.slow
def test_a_step_without_loss_updates_and_the_profile_adds_up(tmp_path):
    job = training_speed._job(str(tmp_path), 0.25, 256, steps=1)
    training = training_speed_ours.Training(job)
    before = training._learner.model.trainable_variables[0].numpy()
    training.without_loss(1)
    assert not np.array_equal(before, training._learner.model.trainable_variables[0])
    training.step(1)
    shares = training.profile(1)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["convolutions"] > 0.3


@needs_torch
@pytest.mark.slow
def test_both_networks_have_the_same_parameters():
    done = subprocess.run(
        [str(training_speed.PYTHON), "-c", _COUNT],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    for width, count in json.loads(done.stdout).items():
        network = l2net.build(ModelConfig(network="l2net", width=float(width)), 1)
        assert count == sum(int(tf.size(kernel)) for kernel in network.trainable_variables)


@needs_torch
@pytest.mark.slow
def test_both_sides_train_alike(tmp_path):
    with training_speed._sides(1) as sides:
        training_speed._open(
            sides, training_speed._job(str(tmp_path), 0.25, 64, augment=False, steps=3)
        )
        ours = sides.ours.take("losses", 3).value
        theirs = sides.torch.take("step", 3).value
    np.testing.assert_allclose(ours, theirs, atol=1e-3)
    assert ours[2] != pytest.approx(ours[0], abs=1e-2)  # it does learn, on the same side


_LOG = """onednn_verbose,info,oneDNN v3.3.4 (commit N/A)
onednn_verbose,info,cpu,isa:Intel AVX2
onednn_verbose,primitive,exec,cpu,convolution,brgconv:avx2,forward_training,src_f32,9.1
onednn_verbose,primitive,exec,cpu,convolution,jit:avx2,backward_weights,src_f32,9.1
onednn_verbose,primitive,exec,cpu,convolution,jit:avx2,backward_data,src_f32,9.1
"""


def test_the_kernels_are_told():
    said = training_speed.onednn_kernels(_LOG)
    assert said == "Kernels: oneDNN v3.3.4 for Intel AVX2, convolutions by brgconv:avx2, jit:avx2."


def test_without_convolutions_of_onednn_they_are_eigens():
    products = "onednn_verbose,info,cpu,isa:Intel AVX2\nonednn_verbose,exec,cpu,gemm_api,,undef,9\n"
    assert "Eigen" in training_speed.onednn_kernels(products)


@pytest.mark.parametrize(
    ("flag", "has"), [("avx512_bf16", True), ("amx_bf16", True), ("avx2", False)]
)
def test_bfloat16_is_measured_where_the_processor_has_it(flag, has):
    assert training_speed.has_bfloat16({"avx", flag}) == has


@pytest.mark.slow
@pytest.mark.skipif("avx2" not in cpu_kernels.cpu_flags(), reason="this processor has no AVX2")
def test_a_step_is_computed_by_onednn(tmp_path, monkeypatch):
    monkeypatch.delenv(cpu_kernels.VARIABLE, raising=False)
    cpu_kernels.choose(os.environ)
    assert "oneDNN v" in training_speed.onednn_kernels(training_speed._log_of_a_step(str(tmp_path)))
    monkeypatch.setenv(cpu_kernels.VARIABLE, "0")
    assert "Eigen" in training_speed.onednn_kernels(training_speed._log_of_a_step(str(tmp_path)))
