"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest

_SHARED = Path(os.environ.get("HPATCHES_SHARED", Path(__file__).parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real test data; tests that need it skip when it is not there."""
    if not (_SHARED / "data").is_dir():
        pytest.skip(f"no real test data at {_SHARED} (set HPATCHES_SHARED to where it is)")
    return _SHARED / "data"
