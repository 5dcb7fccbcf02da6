"""A model that the TPU image's TensorFlow has trained, served by the pipeline's.

Its build for processors stands for it, in an environment of its own: `make test-trainer-cpu`.
"""

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import yaml

from tests.support.synthetic import point_patches, write_examples
from trainer.core.config import TrainerConfig
from trainer.data import image
from trainer.model import export, l2net
from trainer.model.names import OUTPUT, SERVING_DIR, SERVING_SIGNATURE

_ROOT = Path(__file__).parents[3]
_PYTHON = _ROOT / ".venv-trainer-cpu" / "bin" / "python"
_LOCK = (_ROOT / "requirements" / "trainer" / "cpu.txt").read_text()
_VERSION = re.findall(r"^tensorflow-cpu==(\S+)", _LOCK, re.MULTILINE)[0]
_CONFIG = {
    "model": {"width": 0.1, "dimension": 64},
    "stages": [{"points_per_batch": 8, "patches_per_point": 2, "max_steps": 12}],
    "steps_per_loop": 2,
}
_DESCRIBE = """
import sys
import numpy as np
import tensorflow as tf

model, patches, descriptors, version = sys.argv[1:]
assert tf.__version__ == version, tf.__version__
serve = tf.saved_model.load(model).signatures["serving_default"]
np.save(descriptors, serve(tf.constant(np.load(patches)))["descriptors"].numpy())
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not _PYTHON.exists(),
        reason="no .venv-trainer-cpu; `make test-trainer-cpu` makes it and runs this",
    ),
]


def there(*arguments: object) -> str:
    """Runs the other environment's Python and returns what it printed."""
    done = subprocess.run(
        [str(_PYTHON), *map(str, arguments)],
        cwd=_ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A model that `python -m trainer` has made there."""
    folder = tmp_path_factory.mktemp("trainer")
    write_examples(folder / "data", {"train": {"v_a": ("a", 24)}, "val": {"v_b": ("b", 6)}})
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(_CONFIG))
    arguments = ["--config", config, "--data", folder / "data", "--output", folder / "out"]
    assert "12 steps" in there("-m", "trainer", *arguments)
    return folder / "out" / SERVING_DIR


def test_it_gives_the_same_descriptors_here(trained, tmp_path):
    assert tf.__version__ != _VERSION
    sequences = [point_patches("v_c", f"c{number}", number) for number in range(4)]
    patches = np.concatenate(sequences)
    np.save(tmp_path / "patches.npy", patches)
    files = [tmp_path / name for name in ("patches.npy", "expected.npy")]
    there("-c", _DESCRIBE, trained, *files, _VERSION)
    expected = np.load(files[1])

    serve = tf.saved_model.load(str(trained)).signatures[SERVING_SIGNATURE]
    here = serve(tf.constant(patches))[OUTPUT].numpy()

    assert here.shape == (64, 64)
    np.testing.assert_allclose(here, expected, atol=1e-5)
    # Not merely one descriptor for all: points differ by more than the two TensorFlows do.
    between_points = np.linalg.norm(here[0] - here[16])
    assert between_points > 100 * np.abs(here - expected).max()


def test_it_tells_who_it_is(trained):
    identity = export.read_identity(str(trained))
    assert identity is not None
    assert identity["versions"]["tensorflow"] == _VERSION


def test_training_here_can_start_from_its_weights(trained):
    settings = TrainerConfig.model_validate(_CONFIG)
    network = l2net.build(settings.model, seed=1)
    identity = export.read_identity(str(trained)) or {}
    how = image.Normalisation.model_validate(identity["preprocessing"]["normalisation"])
    patches = point_patches("v_c", "c", 0)
    export.load_weights(network, str(trained))
    served = tf.saved_model.load(str(trained)).signatures[SERVING_SIGNATURE]
    expected = served(tf.constant(patches))[OUTPUT].numpy()
    _, given = network(image.normalise(image.resize_area(tf.constant(patches)), how))
    np.testing.assert_allclose(given.numpy(), expected, atol=1e-4)
