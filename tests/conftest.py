"""Fixtures that every test may use."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import trainer  # noqa: F401 (before TensorFlow: it chooses its kernels)

_SHARED = Path(os.environ.get("HPATCHES_SHARED", Path(__file__).parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real test data; tests that need it skip when it is not there."""
    if not (_SHARED / "data").is_dir():
        pytest.skip(f"no real test data at {_SHARED} (set HPATCHES_SHARED to where it is)")
    return _SHARED / "data"


@pytest.fixture(scope="module")
def examples(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Examples with the `SPLITS` of the test's module, or two scenes and one to validate on."""
    from tests.support import synthetic  # imports TensorFlow

    root = tmp_path_factory.mktemp("examples")
    synthetic.write_examples(root, getattr(request.module, "SPLITS", synthetic.TWO_SCENES))
    return str(root)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A patch release of `releases.COUNTS` points."""
    from tests.support import releases  # imports OpenCV

    return releases.make_release(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heard() -> Iterator[None]:
    """Makes Ctrl-C what it is at a terminal: a shell lets its background jobs ignore it."""
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, earlier)
