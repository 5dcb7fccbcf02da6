"""The compiler for TPUs, in its own environment."""

import dataclasses
import re

import pytest
import tensorflow as tf
from tensorflow.compiler.tf2xla.ops import gen_xla_ops

from benchmarks.harness.timing import ROOT
from benchmarks.tpu import compiler
from benchmarks.tpu.cases import Case
from benchmarks.tpu.compiler import Compiled
from trainer.core.errors import UserError

FOUND = Compiled("TPU v5 lite", "libtpu 1", 60, 100, 90, 80, 7, 3, 5e9, 2e9, {}, 0)


def test_the_compiler_is_that_of_the_image():
    locks = [ROOT / "requirements" / name / "tpu.txt" for name in ("optional", "trainer")]
    ours, the_images = (re.findall(r"^libtpu==(\S+)", lock.read_text(), re.M) for lock in locks)
    assert ours == the_images != []


def test_results_that_take_a_parameters_place_need_no_memory_of_their_own():
    assert FOUND.memory == 100 + 90 - 80 + 7 + 3


def test_without_the_environment_it_says_what_makes_it(monkeypatch, tmp_path):
    monkeypatch.setattr(compiler, "PYTHON", tmp_path / "python")
    with pytest.raises(UserError, match="`make tpu-env` installs it"):
        compiler.compile_for(Case("v5e"), b"")


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ("Traceback\n  File x\njax.errors.JaxRuntimeError: no room: HBM\nlater", "no room: HBM"),
        ("F1130 libtpu: no such chip\n", "F1130 libtpu: no such chip"),
        ("", "it said nothing"),
    ],
)
def test_the_reason_is_what_the_exception_says_or_the_last_line(log, told):
    assert compiler.reason(log) == told


def test_a_refusal_is_one_sentence(monkeypatch, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'ValueError: no room' >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(compiler, "PYTHON", python)
    with pytest.raises(UserError, match=r"^v5e step hinge .* refused it \(no room\)$"):
        compiler.compile_for(Case("v5e"), b"")


@pytest.mark.slow
@pytest.mark.skipif(not compiler.PYTHON.exists(), reason="no compiler for TPUs: make tpu-env")
def test_a_sum_over_four_cores_is_one_collective_operation():
    @tf.function(jit_compile=True)
    def total(values):
        return gen_xla_ops.xla_all_reduce(values, [[0, 1, 2, 3]], "Add", "CrossReplica")

    ask = total.experimental_get_compiler_ir(tf.TensorSpec([256, 128], tf.float32))
    found = Compiled(**compiler.compile_for(Case("v5e", cores=4), ask(stage="hlo_serialized")))
    assert found.device == "TPU v5 lite"
    assert found.collectives == {"all-reduce": 1}
    assert found.exchanged == found.arguments == 256 * 128 * 4


@pytest.mark.slow
@pytest.mark.skipif(not compiler.PYTHON.exists(), reason="no compiler for TPUs: make tpu-env")
def test_more_cores_than_the_chips_have_are_refused():
    case = dataclasses.replace(Case("v5e"), cores=8)
    with pytest.raises(UserError, match="v5e:2x2 has 4 cores, expected 8"):
        compiler.compile_for(case, b"")
