"""Whether patches cut by measured rules are as hard as HPatches' own.

Cuts the four image sequences at hand whose published figures are known by the default rules,
describes them with handcrafted methods, and prints matching AP beside the published one. No
learned descriptor takes part. v_graffiti, whose official frames are known, is cut at those and at
points found anew as well; the others at the latter. How the binary descriptors were given a patch
is not told; it was found on the official frames alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.table import Table

from benchmarks.calibration import contributed, official, picture, reference_sift
from benchmarks.harness.targets import Figure, held_to
from components.descriptor_evaluator.descriptors import orb, sift
from components.descriptor_evaluator.protocol import matching
from components.descriptor_evaluator.protocol.distances import Distance
from components.example_gen.formats import reading, sequences
from components.example_gen.formats.base import SequenceInput
from components.example_gen.formats.images import read_grey
from components.example_gen.geometry import homography
from components.example_gen.geometry.patches import ImageSampler
from components.example_gen.settings import DataSettings
from trainer.core.variants import NOISES, TARGETS

CALIBRATED = ("v_graffiti", "v_bark")
HELD_BACK = ("i_leuven", "v_wall")
SETTINGS = DataSettings(format="sequences", max_points=None)
_OPENCV = sift.SiftRecipe(size=1 / 5.303)
Describe = Callable[[np.ndarray], np.ndarray]  # uint8 [M, 65, 65] to [M, D]
METHODS: dict[str, tuple[Describe, Distance]] = {
    "sift": (reference_sift.sift, "l2"),
    "rootsift": (reference_sift.rootsift, "l2"),
    "cvRSIFT": (lambda patches: sift.rootsift(patches, _OPENCV), "l2"),
    "orb": (orb.orb, "hamming"),
    "cvLATCH": (functools.partial(contributed.describe, "LATCH"), "l2"),
    "cvFREAK": (functools.partial(contributed.describe, "FREAK"), "l2"),
    "brief": (functools.partial(contributed.describe, "BRIEF"), "l2"),
}


def run(work: str) -> Table:
    """Returns matching mAP per sequence, method and noise, published and on patches cut here.

    Args:
        work: Folder for `calibration.png`: official patches beside those cut here.
    """
    contributed.require()
    folder = official.root()
    inputs, _ = reading.list_sequences("sequences", str(folder / "sequences"), SETTINGS)
    by_name = {item.name: item for item in inputs}
    table = _empty_table()
    away: dict[str, float] = {}
    for name in (*CALIBRATED, *HELD_BACK):
        if name == official.STRIP_OF:
            given = official.reference_frames(folder)[1]
            patches = patches_at(by_name[name], given)
            _draw(folder, patches, Path(work) / "calibration.png")
            _add_rows(table, folder, name, "official frames", patches)
        role = "held back" if name in HELD_BACK else "calibrated on"
        patches = reading.load_sequence(by_name[name], SETTINGS).patches
        away[name] = _add_rows(table, folder, name, role, patches)
    figures = [Figure("re-cut official patches, correlation", _recut(folder), "at least", 0.999)]
    for name in HELD_BACK:
        figures.append(Figure(f"{name}, held back", away[name], "at most", 3, "points"))
    return held_to(table, figures)


def patches_at(item: SequenceInput, squares: np.ndarray) -> np.ndarray:
    """Cuts an image sequence at frames float64 [N, 3, 3]: uint8 [M, 16, 65, 65]."""
    pictures = sequences.read_images(item)
    matrices = [homography.read(path) for path in item.files[len(pictures) :]]
    return sequences.cut(item, pictures, matrices, SETTINGS, squares).patches


def precisions(method: str, patches: np.ndarray) -> np.ndarray:
    """Scores a method on patches, AP in per cent, float64 [3 noises, 5 targets].

    Args:
        method: One of `METHODS`.
        patches: uint8 [N, 16, 65, 65].
    """
    describe, distance = METHODS[method]
    count, variants = patches.shape[:2]
    flat = describe(patches.reshape(count * variants, *patches.shape[2:]))
    described = np.ascontiguousarray(flat.reshape(count, variants, -1).swapaxes(0, 1))
    scores = [each[2]["ap"] for each in matching.match_sequence(described, distance)]
    return 100 * np.array(scores).reshape(len(NOISES), TARGETS)


def _recut(folder: Path) -> float:
    """Median correlation of official reference patches with what is cut at their frames."""
    return float(np.median(official.correlations(*_both(folder))))


def _both(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Returns official reference patches and what is cut at their frames, uint8 [N, 65, 65]."""
    places, squares = official.reference_frames(folder)
    image = read_grey(str(folder / "sequences" / official.STRIP_OF / "1.ppm"))
    return official.reference_patches(folder)[places], ImageSampler(image).sample(squares)


def _draw(folder: Path, patches: np.ndarray, path: Path) -> None:
    """Draws official patches beside those cut here: of one image, and of four points each."""
    rng = np.random.default_rng(0)
    theirs, ours = _both(folder)
    some, points = (
        rng.choice(len(each), n, replace=False) for each, n in ((ours, 15), (patches, 4))
    )
    both = np.stack([theirs[some], ours[some]])
    picture.draw(
        {
            f"{official.STRIP_OF}: official reference patches, and below cut again": both,
            "official patches of four points of another image": official.whole_points(folder),
            f"patches of four points of {official.STRIP_OF}, cut here": patches[points],
        },
        path,
    )


def _empty_table() -> Table:
    table = Table(
        title="Matching mAP in per cent, e / h / t; away: mean absolute difference, and without "
        "target 5. Pictures: calibration.png in the work folder",
    )
    for column in ("sequence (points)", "method"):
        table.add_column(column)
    for column in ("published", "here", "away", "targets 1-4", "e by target", "published"):
        table.add_column(column, justify="right")
    return table


def _add_rows(
    table: Table,
    folder: Path,
    name: str,
    role: str,
    patches: np.ndarray,
) -> float:
    """Adds the rows of an image sequence.

    Args:
        table: Is added to.
        folder: Of the shared data.
        name: Image sequence.
        role: What it is there for.
        patches: uint8 [N, 16, 65, 65].

    Returns:
        Mean absolute difference to the published figures over methods and noise levels.
    """
    away = []
    labels = [f"{name} ({len(patches)})", role]
    for number, method in enumerate(METHODS):
        theirs, ours = official.published(folder, method, name), precisions(method, patches)
        difference = ours - theirs
        away.append(np.abs(difference.mean(1)).mean())
        table.add_row(
            labels[number] if number < len(labels) else "",
            method,
            _by_noise(theirs),
            _by_noise(ours),
            f"{away[-1]:.1f}",
            f"{np.abs(difference[:, :-1].mean(1)).mean():.1f}",
            _by_target(ours),
            _by_target(theirs),
            end_section=number == len(METHODS) - 1,
        )
    return float(np.mean(away))


def _by_noise(scores: np.ndarray) -> str:
    return " / ".join(f"{value:.1f}" for value in scores.mean(1))


def _by_target(scores: np.ndarray) -> str:
    """Easy patches alone."""
    return " ".join(f"{value:.0f}" for value in scores[0])
