"""A model that TensorFlow 2.19, the TPU image's, has trained, served by TensorFlow 2.16.

Its CPU build stands for it, in an environment of its own: `make test-tf219`.
"""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import yaml

from tests.support.synthetic import patch_sequence, write_examples
from trainer.core.config import TrainerConfig
from trainer.data import image
from trainer.model import export, l2net

_ROOT = Path(__file__).parents[3]
_PYTHON = _ROOT / ".venv-tf219" / "bin" / "python"
_CONFIG = {
    "model": {"width": 0.1, "dimension": 64},
    "stages": [{"sequences_per_batch": 8, "variants_per_sequence": 2, "max_steps": 12}],
    "probe": {"sequences": 4, "variants": 2},
    "steps_per_loop": 2,
}
_DESCRIBE = """
import sys
import numpy as np
import tensorflow as tf

assert tf.__version__.startswith("2.19."), tf.__version__
model, patches, descriptors = sys.argv[1:]
serve = tf.saved_model.load(model).signatures["serving_default"]
np.save(descriptors, serve(tf.constant(np.load(patches)))["descriptors"].numpy())
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not _PYTHON.exists(), reason="no .venv-tf219; `make test-tf219` makes it and runs this"
    ),
]


def in_219(*arguments: object) -> str:
    """Runs Python with TensorFlow 2.19 and returns what it printed."""
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
    """A model that `python -m trainer` has made with TensorFlow 2.19."""
    folder = tmp_path_factory.mktemp("tf219")
    write_examples(folder / "data", {"train": {"v_a": ("a", 24)}, "val": {"v_b": ("b", 6)}})
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(_CONFIG))
    arguments = ["--config", config, "--data", folder / "data", "--output", folder / "out"]
    assert "12 steps" in in_219("-m", "trainer", *arguments)
    return folder / "out" / export.SERVING_DIR


def test_it_gives_the_same_descriptors_here(trained, tmp_path):
    assert tf.__version__.startswith("2.16.")
    sequences = [patch_sequence("v_c", f"c{number}", number) for number in range(4)]
    patches = np.concatenate(sequences)
    np.save(tmp_path / "patches.npy", patches)
    in_219("-c", _DESCRIBE, trained, tmp_path / "patches.npy", tmp_path / "there.npy")
    there = np.load(tmp_path / "there.npy")

    serve = tf.saved_model.load(str(trained)).signatures[export.SERVING_SIGNATURE]
    here = serve(tf.constant(patches))[export.OUTPUT].numpy()

    assert here.shape == (64, 64)
    np.testing.assert_allclose(here, there, atol=1e-5)
    # Not merely one descriptor for all: points differ by more than the two TensorFlows do.
    between_points = np.linalg.norm(here[0] - here[16])
    assert between_points > 100 * np.abs(here - there).max()


def test_it_tells_who_it_is(trained):
    identity = export.read_identity(str(trained))
    assert identity is not None
    assert identity["versions"]["tensorflow"].startswith("2.19.")


def test_training_here_can_start_from_its_weights(trained):
    settings = TrainerConfig.model_validate(_CONFIG)
    network = l2net.build(settings.model, seed=1)
    identity = export.read_identity(str(trained)) or {}
    how = image.Normalisation.model_validate(identity["preprocessing"]["normalisation"])
    patches = patch_sequence("v_c", "c", 0)
    export.load_weights(network, str(trained))
    served = tf.saved_model.load(str(trained)).signatures[export.SERVING_SIGNATURE]
    expected = served(tf.constant(patches))[export.OUTPUT].numpy()
    _, given = network(image.normalise(image.resize_area(tf.constant(patches)), how))
    np.testing.assert_allclose(given.numpy(), expected, atol=1e-4)
