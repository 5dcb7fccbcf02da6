"""Data with one mistake in it, and what must follow from it."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from click.testing import CliRunner

from pipeline.cli import cli
from tests.support.pictures import texture, write_sequence, write_strips

NAMES = ("v_a", "v_b", "v_c", "v_d")
SMALL = ("--set", "data.max_points=5")
POINTS = 4


def hpatches(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def everything(root: Path) -> dict[str, bytes | None]:
    """Every file and folder with its content."""
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None
        for path in root.rglob("*")
    }


def assert_refused(root: Path, sentence: str, *arguments) -> str:
    """Runs a command that must fail in one sentence and change nothing."""
    before = everything(root)
    result = hpatches(*arguments)
    assert result.exit_code == 2, result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert sentence in lines[0]
    assert "object at 0x" not in lines[0] and "Traceback" not in result.output
    assert everything(root) == before
    return lines[0]


# The few sequences of these tests leave one to be judged on: too few for retrieval.
MATCHING_ALONE = (
    *("--set", "evaluation.gate.baseline.tasks=[matching]"),
    *("--set", "evaluation.gate.production.tasks=[matching]"),
)


RUN_STRIPS = (
    *("run", "--format", "strips", "--data", "data", "--set", "work_dir=work"),
    *("--set", "training.stages=[{points_per_batch: 8, patches_per_point: 2}]"),
)


def release(root: Path) -> Path:
    for number, name in enumerate(NAMES):
        write_strips(root / "data" / name, POINTS, seed=number)
    return root / "data"


def sequences(root: Path) -> Path:
    for number, name in enumerate(NAMES):
        write_sequence(root / "data" / name, "png", seed=number)
    return root / "data"


def photographs(root: Path) -> Path:
    (root / "data").mkdir()
    for number in range(4):
        cv2.imwrite(str(root / "data" / f"p{number}.png"), texture(400, 320, number))
    return root / "data"


def halve(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def image(*shape: int, dtype=np.uint8) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(cv2.imencode(".png", np.zeros(shape, dtype))[1].tobytes())


def text(content: str) -> Callable[[Path], None]:
    return lambda path: path.write_text(content)


@dataclasses.dataclass(frozen=True)
class Case:
    """One mistake.

    Attributes:
        spoil: What is done to a file.
        file: The file, below the data folder.
        sentence: What is told after the file's (or, with `of_folder`, its folder's) path.
        slow: Whether only reading the whole file tells it.
    """

    spoil: Callable[[Path], None]
    file: str
    sentence: str
    of_folder: bool = False
    slow: bool = False

    def path(self, data: Path) -> Path:
        return data / self.file


STRIPS = {
    "missing strip": Case(Path.unlink, "v_b/e3.png", "lacks e3.png, expected", of_folder=True),
    "extra strip": Case(image(65, 65), "v_b/x1.png", "holds x1.png beside the 16", of_folder=True),
    "width": Case(image(260, 64), "v_b/h2.png", "is 64 pixels wide, expected 65"),
    "length": Case(image(195, 65), "v_b/h2.png", "holds 3 patches, expected 4 as in ref.png"),
    "truncated": Case(halve, "v_b/h2.png", "is truncated after ", slow=True),
}
SEQUENCES = {
    "five images": Case(Path.unlink, "v_b/6.png", "holds 5 images (1.png, ", of_folder=True),
    "undecodable": Case(
        text("?"), "v_b/3.png", "cannot be decoded (no image format is recognised)"
    ),
    "truncated": Case(halve, "v_b/3.png", "cannot be decoded (image file is trunc", slow=True),
    "16 bit": Case(image(90, 90, dtype=np.uint16), "v_b/3.png", "holds 16-bit pixels, expected 8"),
    "singular": Case(text("1 0 0\n0 1 0\n0 0 0"), "v_b/H_1_4", "the matrix is singular, expected"),
}
PHOTOGRAPHS = {
    "one name twice": Case(
        image(300, 300), "p1.bmp", "would make two sequences of one name (v_p1)"
    ),
    "undecodable": Case(text("?"), "p1.png", "cannot be decoded (no image format is recognised)"),
    "truncated": Case(halve, "p1.png", "cannot be decoded (image file is truncated)", slow=True),
    "too small": Case(
        image(90, 100), "p1.png", "is 100x90 pixels, expected at least 130", slow=True
    ),
}
WORD_CASES = [
    *(("strips", name) for name in STRIPS),
    *(("sequences", name) for name in SEQUENCES),
    *(("photos", name) for name in PHOTOGRAPHS),
]
CASES = {"strips": STRIPS, "sequences": SEQUENCES, "photos": PHOTOGRAPHS}
MAKE = {"strips": release, "sequences": sequences, "photos": photographs}
