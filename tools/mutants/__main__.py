"""`python -m tools.mutants`: changes the core at random places and says what no test noticed.

Draws mutants of the modules below, writes each into a copy of the working tree, and runs the
tests that mirror the module. A mutant that they pass with has survived: a test is missing, or
the mutant is equivalent. Half an hour at most; the seed is printed.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.mutants.mutate import Mutant, mutants

_EVALUATOR = "components/descriptor_evaluator"
CORE = {
    "trainer/core/average_precision.py": "trainer/core",
    f"{_EVALUATOR}/protocol/matching.py": f"{_EVALUATOR}/protocol",
    f"{_EVALUATOR}/protocol/retrieval.py": f"{_EVALUATOR}/protocol",
    f"{_EVALUATOR}/protocol/verification.py": f"{_EVALUATOR}/protocol",
    f"{_EVALUATOR}/protocol/jackknife.py": f"{_EVALUATOR}/protocol",
    f"{_EVALUATOR}/statistics/intervals.py": f"{_EVALUATOR}/statistics",
    f"{_EVALUATOR}/statistics/degeneracy.py": f"{_EVALUATOR}/statistics",
    f"{_EVALUATOR}/gate/decision.py": f"{_EVALUATOR}/gate",
    f"{_EVALUATOR}/gate/non_inferiority.py": f"{_EVALUATOR}/gate",
    f"{_EVALUATOR}/gate/false_rejection.py": f"{_EVALUATOR}/gate",
    "components/example_gen/geometry/patches.py": "components/example_gen/geometry",
    "components/example_gen/geometry/detection.py": "components/example_gen/geometry",
    "components/example_gen/geometry/frames.py": "components/example_gen/geometry",
    "trainer/losses/mining.py": "trainer/losses",
    "trainer/curriculum/plan.py": "trainer/curriculum",
    "trainer/curriculum/stages.py": "trainer/curriculum",
}
_SECONDS = 300  # of a test run: an endless loop has been noticed


def main() -> int:
    """Draws, tests and reports; 1 when a mutant survived."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mutants", type=int, default=60, help="how many to draw")
    parser.add_argument("--minutes", type=float, default=30.0, help="stop drawing after these")
    parser.add_argument("--only", default="", help="part of the modules' paths")
    options = parser.parse_args()
    modules = [path for path in CORE if options.only in path and Path(path).is_file()]
    rng = random.Random(options.seed)
    every = {path: list(mutants(Path(path).read_text())) for path in modules}
    drawn = [(path, item) for path in modules for item in every[path]]
    drawn = rng.sample(drawn, min(options.mutants, len(drawn)))
    print(f"seed {options.seed}: {len(drawn)} of {sum(map(len, every.values()))} mutants")
    begin, tested, survivors = time.monotonic(), 0, []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = _copy(Path(folder))
        for path, mutant in drawn:
            if time.monotonic() - begin > 60 * options.minutes:
                print("time is up")
                break
            tested += 1
            noticed = _noticed(copy, path, mutant)
            where = f"{path}:{mutant.line}: {mutant.change}"
            print(f"{'noticed ' if noticed else 'SURVIVED'} {where}", flush=True)
            survivors += [] if noticed else [where]
    print(f"{len(survivors)} of {tested} survived")
    print("\n".join(survivors))
    return bool(survivors)


def _copy(folder: Path) -> Path:
    """Copies what git tracks or would."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if Path(name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(name, target)
    return folder


def _noticed(root: Path, path: str, mutant: Mutant) -> bool:
    """Runs the mirrored tests on a mutant; the module is put back afterwards."""
    module = root / path
    original = module.read_text()
    module.write_text(mutant.apply(original))
    command = [sys.executable, "-m", "pytest", "-n", "0", "-q", "-x", "-p", "no:cacheprovider"]
    command += ["-m", "not slow and not kubeflow", f"tests/{CORE[path]}"]
    # The working tree is installed; the copy must come before it.
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return True
    finally:
        module.write_text(original)
    return done.returncode != 0


if __name__ == "__main__":
    sys.exit(main())
