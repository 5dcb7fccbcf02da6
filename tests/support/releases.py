"""Small patch releases for tests."""

from pathlib import Path

import cv2
import numpy as np

from components.example_gen.formats.base import PatchSet
from components.example_gen.formats.strips import write_release

COUNTS = {"i_two": 7, "v_one": 5, "v_three": 6}


def patches_of(name: str, count: int) -> np.ndarray:
    """uint8 [count, 16, 65, 65]: a smooth pattern per point, with noise in every variant."""
    rng = np.random.default_rng(list(name.encode()))
    patterns = rng.normal(size=(count, 1, 65, 65)).astype(np.float32)
    for pattern in patterns:
        pattern[0] = cv2.GaussianBlur(pattern[0], (0, 0), 4.0) * 400 + 128
    noisy = patterns + rng.normal(size=(count, 16, 65, 65)) * 10
    return np.clip(noisy, 0, 255).astype(np.uint8)


def make_release(root: Path, counts: dict[str, int] = COUNTS) -> str:
    """Writes a release and returns its path."""
    for name, count in counts.items():
        positions = np.zeros((count, 3), np.float32)
        patch_set = PatchSet(name, name, name[0], patches_of(name, count), positions)
        write_release(patch_set, str(root))
    return str(root)
