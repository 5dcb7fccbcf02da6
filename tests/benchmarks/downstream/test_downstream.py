"""What passes between COLMAP and our descriptors."""

import numpy as np
import pytest

from benchmarks.downstream import downstream
from components.matching.features import colmap


def test_keypoints_of_colmap_become_ours_and_back():
    rng = np.random.default_rng(0)
    positions = rng.uniform(1, 50, (20, 3))
    angles = rng.uniform(-3, 3, 20)
    found = downstream.keypoints(colmap.affine_keypoints(positions, angles))
    np.testing.assert_allclose(found.positions, positions, rtol=1e-5)
    np.testing.assert_allclose(found.angles, angles, atol=1e-5)


def test_colmap_reconstructs_what_it_made_up(tmp_path):
    pycolmap = pytest.importorskip("pycolmap", reason="no pycolmap: `make setup` installs it")
    options = pycolmap.SyntheticDatasetOptions()
    options.num_frames_per_rig, options.num_points3D = 6, 60
    path = tmp_path / "scene.db"
    with pycolmap.Database.open(path) as database:
        pycolmap.synthesize_dataset(options, database)
        camera = database.read_all_cameras()[0]
    python = downstream.colmap_python()
    result = downstream.reconstruct(
        python, path, str(tmp_path), camera=[*camera.params[:3].tolist(), 0.0]
    )
    assert result["images"] == len(result["cameras"]) == result["registered"]
    assert result["verified"] > 0.9 * result["matches"] > 0
    assert result["error"] < 1
