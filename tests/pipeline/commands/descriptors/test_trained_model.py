"""From a model that was trained for seconds to described and matched photographs."""

import h5py
import numpy as np
import pytest

from components.example_gen.settings import DataSettings
from tests.components.matching import photograph_pairs
from tests.pipeline.commands.bad_data import hpatches
from tests.support.synthetic import write_examples
from tests.support.training import folders_in, small_config
from trainer.core.config import ValidationConfig
from trainer.core.documents import read_json
from trainer.data import manifest
from trainer.engine import loop
from trainer.model.names import IDENTITY_FILE

pytestmark = pytest.mark.slow

SPLITS = {"train": {"i_a": ("a", 30), "v_b": ("b", 30)}, "val": {"v_c": ("c", 60)}}
MOST_POINTS = 300


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with two photographs, below `images`."""
    root = tmp_path_factory.mktemp("trained")
    (root / "images").mkdir()
    photograph_pairs.write(root / "images")
    (root / "images" / "H_1_2").unlink()
    return root


@pytest.fixture(scope="module")
def model(root):
    """The SavedModel."""
    examples = write_examples(root / "examples", SPLITS)
    settings = DataSettings(format="photos").model_dump(mode="json")
    manifest.write(examples.model_copy(update={"settings": settings}), str(root / "examples"))
    validation = ValidationConfig(every_steps=6, max_points=60)
    config = small_config(validation=validation)
    return loop.train(config, str(root / "examples"), None, folders_in(root)).model_path


@pytest.fixture(scope="module")
def features(root, model):
    """The features that the SavedModel gives."""
    return described(root, model, "saved")


def described(root, model, name):
    """Runs `hpatches features`; returns hloc's file, beside which lie the same as arrays."""
    files = [root / f"{name}{ending}" for ending in (".h5", ".npz")]
    arguments = ("--output", files[0], "--output", files[1], "--points", MOST_POINTS)
    done = hpatches("features", root / "images", "--model", model, *arguments)
    assert done.exit_code == 0, done.output
    return files[0]


def read(features):
    """Returns the descriptors of both photographs, float64 [N, D]."""
    with h5py.File(features) as opened:
        return [opened[name]["descriptors"][()].T.astype(float) for name in ("a.png", "b.png")]


def nearest(features, ratio, distance):
    """Returns for each point of a.png the one of b.png that matches it, else -1."""
    a, b = read(features)
    apart = np.linalg.norm(a[:, None] - b[None], axis=2)
    partners = np.full(len(a), -1)
    for i, j in enumerate(apart.argmin(1)):
        rival = min(np.delete(apart[i], j).min(), np.delete(apart[:, j], i).min())
        if apart[:, j].argmin() == i and apart[i, j] <= min(ratio * rival, distance):
            partners[i] = j
    return partners


def matched(root, features, *options):
    """Runs `hpatches match --features`; returns its words and what `nearest` does."""
    output = root / f"matches-{len(list(root.glob('matches-*')))}.h5"
    done = hpatches("match", "--features", features, *options, "--output", output)
    assert done.exit_code == 0, done.output
    with h5py.File(output) as opened:
        return done.stdout, opened["a.png/b.png/matches0"][()]


def test_the_rule_that_training_chose_is_what_features_are_matched_by(root, model, features):
    rule = read_json((root / model / IDENTITY_FILE).read_text())["matching"]
    ratio, distance = rule["ratio"], rule["max_distance"]
    told, partners = matched(root, features)
    assert f"(ratio at most {ratio:g}, distance at most {distance:g})" in told
    np.testing.assert_array_equal(partners, nearest(features, ratio, distance))
    # Not by the rule that stands in where none was chosen, and not without the distance.
    assert (partners >= 0).any()
    for other in ((0.85, np.inf), (ratio, np.inf)):
        assert (nearest(features, *other) != partners).any(), other


def test_a_distance_that_is_given_leaves_the_ratio_that_training_chose(root, model, features):
    ratio = read_json((root / model / IDENTITY_FILE).read_text())["matching"]["ratio"]
    told, partners = matched(root, features, "--max-distance", 2)
    assert f"(ratio at most {ratio:g}, distance at most 2)" in told
    np.testing.assert_array_equal(partners, nearest(features, ratio, 2))
    for other in (0.85, 1.0):
        assert (nearest(features, other, 2) != partners).any(), other


def test_an_exported_file_gives_the_features_of_its_saved_model(root, model, features):
    arguments = ("--format", "onnx", "--output", root / "model.onnx")
    done = hpatches("export", "--model", model, *arguments)
    assert done.exit_code == 0, done.output
    exported = described(root, root / "model.onnx", "exported")
    # hloc's file has half precision.
    ours, theirs = (np.load(each.with_suffix(".npz")) for each in (features, exported))
    for name in ("a.png", "b.png"):
        keypoints, descriptors = (f"{name}/{kind}" for kind in ("keypoints", "descriptors"))
        np.testing.assert_array_equal(theirs[keypoints], ours[keypoints])
        np.testing.assert_allclose(theirs[descriptors], ours[descriptors], rtol=0, atol=1e-4)
        assert ours[descriptors].dtype == np.float32
    rules = [
        matched(root, each)[0].partition(" (")[2].partition(")")[0] for each in (features, exported)
    ]
    assert rules[0] == rules[1]
