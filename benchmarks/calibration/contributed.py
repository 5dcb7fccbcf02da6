"""OpenCV's contributed descriptors and kornia's, which live in an environment of their own.

They are in another build of OpenCV than the project's, so a process of its own describes
(`contributed_worker`), in the environment of `make bench-env`.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.harness.timing import ROOT
from trainer.core.errors import UserError

PYTHON = ROOT / ".venv-bench" / "bin" / "python"
_WORKER = Path(__file__).with_name("contributed_worker.py")


def require() -> None:
    """Checks that they are there.

    Raises:
        UserError: When they are not.
    """
    if not PYTHON.exists():
        raise UserError(
            "OpenCV's contributed descriptors are missing; `make bench-env` installs them"
        )


def describe(method: str, patches: np.ndarray) -> np.ndarray:
    """Describes patches in the other environment.

    Args:
        method: Name that `contributed_worker` knows.
        patches: uint8 [M, 65, 65].

    Returns:
        float32 [M, D]; of binary descriptors zeros and ones, whose squared distance is Hamming's.

    Raises:
        UserError: When that fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, target = (str(Path(folder) / name) for name in ("patches.npy", "described.npy"))
        np.save(source, patches)
        done = subprocess.run(
            [str(PYTHON), str(_WORKER), source, method, target],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise UserError(f"{method}: {done.stderr.strip().splitlines()[-1]}")
        return np.load(target)
