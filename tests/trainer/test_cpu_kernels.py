"""oneDNN's kernels: where they are asked for, and that it happens in time."""

import os
import subprocess
import sys

import pytest

from trainer import cpu_kernels

_LINES = "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu sse2 avx {}\n\nprocessor\t: 1\n"
# Stops at the first import of TensorFlow and tells what it would have cpuinfo.
_AT_TENSORFLOW = """
import importlib, os, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "tensorflow":
            print(os.environ.get("TF_ENABLE_ONEDNN_OPTS"))
            sys.stdout.flush()
            os._exit(0)

sys.meta_path.insert(0, Finder())
importlib.import_module(sys.argv[1])
import tensorflow
"""


def _chosen(tmp_path, flags, environment):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(_LINES.format(flags))
    cpu_kernels.choose(environment, cpuinfo)
    return environment.get(cpu_kernels.VARIABLE)


@pytest.mark.parametrize(
    ("flags", "given", "chosen"),
    [
        ("avx2 fma", {}, "1"),
        ("fma avx2x", {}, None),  # left to TensorFlow
        *(("avx2", {cpu_kernels.VARIABLE: value}, value) for value in ("0", "1", "")),
    ],
)
def test_onednn_is_turned_on_where_there_is_avx2_unless_the_user_has_said(
    tmp_path, flags, given, chosen
):
    assert _chosen(tmp_path, flags, dict(given)) == chosen


@pytest.mark.parametrize("content", ["", "Features\t: fp asimd sve\n"], ids=["empty", "ARM"])
def test_other_machines_are_left_to_tensorflow(tmp_path, content):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(content)
    assert cpu_kernels.cpu_flags(cpuinfo) == frozenset()
    assert cpu_kernels.cpu_flags(tmp_path / "nothing") == frozenset()


@pytest.mark.skipif("avx2" not in cpu_kernels.cpu_flags(), reason="this processor has no AVX2")
@pytest.mark.parametrize(
    "module",
    [
        "trainer.__main__",
        "trainer.model.l2net",
        "trainer.health",
        "pipeline.cli",
        "components.kubeflow.run_executor",
        "components.schema.executor",  # TensorFlow is the first thing that it imports
        "benchmarks.training.training_speed_ours",
        "tests.conftest",
    ],
)
def test_it_is_chosen_before_tensorflow_loads(module):
    environment = {k: v for k, v in os.environ.items() if k != cpu_kernels.VARIABLE}
    command = [sys.executable, "-c", _AT_TENSORFLOW, module]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
