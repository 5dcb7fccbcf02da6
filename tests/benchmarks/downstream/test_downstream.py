"""What passes between COLMAP and our descriptors."""

import numpy as np

from benchmarks.downstream import downstream
from components.matching.features import colmap
from tests.support.colmap import ask


def test_keypoints_of_colmap_become_ours_and_back():
    rng = np.random.default_rng(0)
    positions = rng.uniform(1, 50, (20, 3))
    angles = rng.uniform(-3, 3, 20)
    found = downstream.keypoints(colmap.affine_keypoints(positions, angles))
    np.testing.assert_allclose(found.positions, positions, rtol=1e-5)
    np.testing.assert_allclose(found.angles, angles, atol=1e-5)


_MAKE_UP = """
options = pycolmap.SyntheticDatasetOptions()
options.num_frames_per_rig, options.num_points3D = 6, 60
with pycolmap.Database.open(arguments[0]) as database:
    pycolmap.synthesize_dataset(options, database)
    answer = database.read_all_cameras()[0].params[:3].tolist()
"""


def test_colmap_reconstructs_what_it_made_up(tmp_path):
    path = tmp_path / "scene.db"
    camera = ask(_MAKE_UP, path)
    python = downstream.colmap_python()
    result = downstream.reconstruct(python, path, str(tmp_path), camera=[*camera, 0.0])
    assert result["images"] == len(result["cameras"]) == result["registered"]
    assert result["verified"] > 0.9 * result["matches"] > 0
    assert result["error"] < 1
