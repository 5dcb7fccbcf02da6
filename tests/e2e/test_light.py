"""A model that has left home: used where there is no TensorFlow, in `make light-env`."""

import ast
import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from components.descriptor_evaluator.descriptors import exported
from tests.support.releases import COUNTS, make_release
from tests.support.synthetic import TWO_SCENES, write_examples
from tests.support.training import folders_in, small_config

_ROOT = Path(__file__).parents[2]
_BIN = _ROOT / ".venv-light" / "bin"
_SECONDS = 3.0  # of processor time to the first descriptor
needs_light = pytest.mark.skipif(
    not _BIN.exists(), reason="no .venv-light; `make test-foreign` makes it and runs this"
)


def there(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a program of the light environment outside this project's folder."""
    name, *rest = map(str, arguments)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [str(_BIN / name), *rest], cwd=folder, env=environment, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A patch release, an ONNX file of a model trained for seconds, and what it says."""
    from components.model_export.export import export_model
    from trainer.engine import loop

    root = tmp_path_factory.mktemp("light")
    write_examples(root / "examples", TWO_SCENES)
    trained = loop.train(small_config(), str(root / "examples"), None, folders_in(root))
    release = make_release(root / "release")
    export_model(trained.model_path, "onnx", str(root / "model.onnx"), data=release)
    return root


def test_the_list_is_the_one_that_is_locked():
    lines = (_ROOT / "requirements" / "optional" / "light.in").read_text().splitlines()
    asked = [line for line in lines if line and not line.startswith("#")]
    tree = ast.parse((_ROOT / "setup.py").read_text())
    (light,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LIGHT"
    )
    assert light == asked
    locked = (_ROOT / "requirements" / "optional" / "light.txt").read_text()
    for heavy in ("tensorflow", "tfx", "apache-beam", "torch"):
        assert f"\n{heavy}" not in locked


@needs_light
@pytest.mark.slow
def test_nothing_heavy_is_installed(folder):
    listed = there("python", "-c", _INSTALLED, folder=folder)
    assert listed.returncode == 0, listed.stderr
    names = set(json.loads(listed.stdout))
    assert "hpatches-pipeline" in names and "onnxruntime" in names
    assert not names & {"tensorflow", "tf-keras", "tfx", "apache-beam", "torch"}


@needs_light
@pytest.mark.slow
def test_patches_are_described_and_scored(folder):
    target = folder / "descriptors"
    common = ("--model", folder / "model.onnx", "--data", folder / "release")
    done = there("hpatches", "describe", *common, "--output", target, folder=folder)
    assert done.returncode == 0, done.stderr
    model = exported.read(str(folder / "model.onnx"))
    from tests.support.releases import patches_of

    expected = model.describe(patches_of("v_one", COUNTS["v_one"])[:, 0])
    written = np.loadtxt(target / "v_one" / "ref.csv", delimiter=",", ndmin=2)
    np.testing.assert_allclose(written, expected, atol=1e-4)
    scores = folder / "scores.json"
    done = there("hpatches", "evaluate", *common, "--json", scores, folder=folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(scores.read_text())["matching"]["mean"] > 0.1


@needs_light
@pytest.mark.slow
def test_the_first_descriptor_comes_within_seconds(folder):
    np.save(folder / "patches.npy", np.zeros((1, 65, 65), np.uint8))
    there("python", "-c", _FIRST, folder=folder)  # once for the file system's cache
    started = time.perf_counter()
    done = there("python", "-c", _FIRST, folder=folder)
    elapsed = time.perf_counter() - started
    assert done.returncode == 0, done.stderr
    shape, used = json.loads(done.stdout)
    assert shape == [1, 64]
    assert used < _SECONDS, f"{used:.1f} s of processor time, {elapsed:.1f} s by the clock"


@needs_light
@pytest.mark.slow
def test_what_needs_tensorflow_says_so(folder):
    done = there("hpatches", "describe", "--model", folder / "out" / "Format-Serving", "--data",
        folder / "release", "--output", folder / "none", folder=folder)  # fmt: skip
    assert done.returncode == 2
    assert "needs TensorFlow, which is not installed" in " ".join(done.stderr.split())
    assert not (folder / "none").exists()


_INSTALLED = """
import importlib.metadata, json
print(json.dumps([entry.metadata["Name"] for entry in importlib.metadata.distributions()]))
"""
_FIRST = """
import json, time
import numpy as np
from components.descriptor_evaluator.descriptors import saved_model
model = saved_model.load_model("model.onnx")
shape = saved_model.describe_patches(model, np.load("patches.npy")[:, None])[0].shape
print(json.dumps([shape, time.process_time()]))
"""
