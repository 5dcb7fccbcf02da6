"""Reconstructs a scene by COLMAP, and prints what came out as JSON.

Needs pycolmap alone, so that the benchmarks' environment (`make bench-env`) can run it. The focal
length and the principal point are kept, the radial distortion is estimated.

python -m benchmarks.downstream.colmap_worker DATABASE IMAGES OPTIONS
"""

from __future__ import annotations

import json
import sys
import tempfile
from typing import Any

import pycolmap

_SEED = 0
_MODEL = "SIMPLE_RADIAL"


def reconstruct(database: str, images: str, options: dict[str, Any]) -> dict[str, Any]:
    """Reconstructs what a database holds.

    Args:
        database: COLMAP database, of which images and keypoints are taken; a new one with
            `sift`.
        images: Folder of the photographs, all of one camera.
        options: `threads`; `camera`: focal length, x and y of the principal point, distortion
            to begin with; `sift`: find so many of COLMAP's own SIFT features first; `match`:
            match by COLMAP's matcher, instead of taking the matches in the database.

    Returns:
        Counts and means, and `cameras`: [R | t] by name.
    """
    threads, camera = options["threads"], options["camera"]
    pycolmap.set_random_seed(_SEED)
    if "sift" in options:
        reader = pycolmap.ImageReaderOptions()
        reader.camera_model = _MODEL
        reader.camera_params = ",".join(map(str, camera))
        extraction = pycolmap.FeatureExtractionOptions()
        extraction.num_threads, extraction.use_gpu = threads, False
        extraction.sift.max_num_features = options["sift"]
        pycolmap.extract_features(
            database, images, camera_mode=pycolmap.CameraMode.SINGLE,
            reader_options=reader, extraction_options=extraction,
        )  # fmt: skip
    _set_camera(database, camera)
    if options.get("match"):
        matching = pycolmap.FeatureMatchingOptions()
        matching.num_threads, matching.use_gpu = threads, False
        pycolmap.match_exhaustive(database, matching_options=matching)
    else:
        pycolmap.geometric_verification(database)
    counts = _counts(database)
    mapping = pycolmap.IncrementalPipelineOptions()
    mapping.num_threads = threads
    mapping.ba_refine_focal_length = mapping.ba_refine_principal_point = False
    with tempfile.TemporaryDirectory() as folder:
        models = pycolmap.incremental_mapping(database, images, folder, mapping)
    if not models:
        return {**counts, "registered": 0, "points": 0, "track_length": 0.0, "error": None}
    model = max(models.values(), key=lambda one: one.num_reg_images())
    return {
        **counts,
        "registered": model.num_reg_images(),
        "points": model.num_points3D(),
        "track_length": model.compute_mean_track_length(),
        "error": model.compute_mean_reprojection_error(),
        "distortion": next(iter(model.cameras.values())).params[-1],
        "cameras": {
            image.name: image.cam_from_world().matrix().tolist()
            for image in model.images.values()
            if image.has_pose
        },
    }


def _set_camera(database: str, params: list[float]) -> None:
    with pycolmap.Database.open(database) as opened:
        for camera in opened.read_all_cameras():
            camera.model = getattr(pycolmap.CameraModelId, _MODEL)
            camera.params = params
            camera.has_prior_focal_length = True
            opened.update_camera(camera)


def _counts(database: str) -> dict[str, int]:
    with pycolmap.Database.open(database) as opened:
        return {
            "images": opened.num_images(),
            "keypoints": opened.num_keypoints(),
            "matches": opened.num_matches(),
            "verified": opened.num_inlier_matches(),
            "verified_pairs": opened.num_verified_image_pairs(),
        }


if __name__ == "__main__":
    pycolmap.logging.minloglevel = pycolmap.logging.Level.ERROR.value
    print(json.dumps(reconstruct(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))))
