"""Features that were made up, for tests of the files that hold them."""

import numpy as np

from components.matching.features.cameras import Camera
from components.matching.features.features import Features

CAMERA = Camera(640, 480, 768.0, False, "")
IDENTITY = {
    "descriptor": "model",
    "descriptor_id": "abc",
    "matching": {"ratio": 0.8, "max_distance": None},
}


def features(name, count=5, dimension=128, seed=0, camera=CAMERA):
    """Unit-length descriptors at random places."""
    rng = np.random.default_rng([seed, count])
    codes = rng.standard_normal((count, dimension)).astype(np.float32)
    return Features(
        name,
        camera,
        rng.uniform(1, 100, (count, 3)).astype(np.float32),
        rng.uniform(-np.pi, np.pi, count).astype(np.float32),
        rng.uniform(1, 9, count).astype(np.float32),
        codes / np.linalg.norm(codes, axis=1, keepdims=True),
    )


def noisy(one, name, amount=0.02, seed=9):
    """The same points in another order, described a little otherwise; and that order."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(one))
    codes = one.descriptors[order] + amount * rng.standard_normal(one.descriptors.shape)
    return Features(
        name, one.camera, one.positions[order], one.angles[order], one.scores[order],
        codes.astype(np.float32),
    ), order  # fmt: skip
