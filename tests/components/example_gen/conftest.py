"""A small patch release."""

from pathlib import Path

import numpy as np
import pytest

from components.example_gen.formats import strips
from components.example_gen.formats.base import PatchSet
from trainer.data import records

NAMES = ("v_a", "i_b", "v_c", "i_d", "v_e", "i_f", "v_g", "i_h")
POINTS = 3


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A patch release of eight small sequences; `v_a` and `v_c` show one scene."""
    root = tmp_path / "release"
    for number, name in enumerate(NAMES):
        random = np.random.default_rng(number)
        patches = random.integers(0, 256, (POINTS, *records.PATCH_SHAPE), dtype=np.uint8)
        strips.write_release(
            PatchSet(name, name, name[0], patches, np.zeros((POINTS, 3), np.float32)), str(root)
        )
    (root / "scenes.csv").write_text("name,scene\nv_a,hall\nv_c,hall\n")
    return root
