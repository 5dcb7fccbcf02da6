"""What a user may get wrong: one sentence, exit 2, nothing left behind."""

import dataclasses
import json
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from components.descriptor_evaluator import descriptor_files
from components.example_gen import files
from pipeline import work_lock
from pipeline.cli import cli
from tests.components.example_gen.pictures import texture, write_sequence, write_strips
from trainer.errors import UserError

NAMES = ("v_a", "v_b", "v_c", "v_d")
SMALL = ("--set", "data.max_points=5")
POINTS = 4


def hpatches(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    """Commands run in a folder of their own, so that whatever they leave is found."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def no_runner(monkeypatch):
    """Makes sure that `run` refuses before it would load TensorFlow."""
    module = types.ModuleType("pipeline.runners.local")
    monkeypatch.setitem(sys.modules, "pipeline.runners.local", module)


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
    "missing ref": Case(Path.unlink, "v_b/ref.png", "lacks ref.png, expected", of_folder=True),
    "extra strip": Case(image(65, 65), "v_b/x1.png", "holds x1.png beside the 16", of_folder=True),
    "width": Case(image(260, 64), "v_b/h2.png", "is 64 pixels wide, expected 65"),
    "height": Case(image(263, 65), "v_b/h2.png", "is 263 pixels high, expected a multiple of 65"),
    "RGB": Case(image(260, 65, 3), "v_b/h2.png", "is an 8-bit RGB PNG, expected 8-bit grey"),
    "16 bit": Case(image(260, 65, dtype=np.uint16), "v_b/h2.png", "is a 16-bit grey PNG, expected"),
    "length": Case(image(195, 65), "v_b/h2.png", "holds 3 patches, expected 4 as in ref.png"),
    "empty file": Case(text(""), "v_b/t5.png", "is truncated after 0 bytes"),
    "no PNG": Case(text("hello"), "v_b/t5.png", "is not a PNG, expected an 8-bit grey PNG strip"),
    "truncated": Case(halve, "v_b/h2.png", "is truncated after ", slow=True),
}
HOMOGRAPHY = "v_b/H_1_4"
SEQUENCES = {
    "five images": Case(Path.unlink, "v_b/6.png", "holds 5 images (1.png, ", of_folder=True),
    "two of a number": Case(
        image(9, 9), "v_b/6.jpg", "holds image 6 as 6.jpg and 6.png", of_folder=True
    ),
    "undecodable": Case(
        text("?"), "v_b/3.png", "cannot be decoded (no image format is recognised)"
    ),
    "truncated": Case(halve, "v_b/3.png", "cannot be decoded (image file is trunc", slow=True),
    "16 bit": Case(image(90, 90, dtype=np.uint16), "v_b/3.png", "holds 16-bit pixels, expected 8"),
    "H missing": Case(Path.unlink, HOMOGRAPHY, "is missing, expected a 3x3 homography"),
    "H empty": Case(text(""), HOMOGRAPHY, "holds nothing, expected a 3x3 homography"),
    "H of 2x3": Case(
        text("1 0 0\n0 1 0"), HOMOGRAPHY, "holds 2 rows of 3, 3 numbers, expected a 3x3"
    ),
    "H singular": Case(text("1 0 0\n0 1 0\n0 0 0"), HOMOGRAPHY, "the matrix is singular, expected"),
    "H of words": Case(
        text("1 0 0\n0 a 0\n0 0 1"), HOMOGRAPHY, "is not numeric (could not convert"
    ),
    "H not finite": Case(
        text("1 0 0\n0 nan 0\n0 0 1"), HOMOGRAPHY, "holds a number that is not fin"
    ),
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


def spoilt(source: str, name: str, root: Path) -> tuple[Path, str]:
    """Makes data, spoils it, and returns it with the sentence expected."""
    case = CASES[source][name]
    data = MAKE[source](root)
    path = case.path(data)
    case.spoil(path)
    place = path.parent if case.of_folder else path
    return data, f"{place}: " + ("p1.bmp and p1.png " * (path.suffix == ".bmp")) + case.sentence


@pytest.mark.parametrize(("source", "name"), [case for case in WORD_CASES if case[0] != "strips"])
def test_extract_refuses_bad_data(tmp_path, source, name):
    data, sentence = spoilt(source, name, tmp_path)
    arguments = ("--source", source, "--input", data, "--output", tmp_path / "deep" / "out", *SMALL)
    assert assert_refused(tmp_path, sentence, "extract", *arguments).startswith(str(data))


@pytest.mark.parametrize(
    ("source", "name"), [(s, name) for s, name in WORD_CASES if not CASES[s][name].slow]
)
@pytest.mark.usefixtures("no_runner")
def test_run_refuses_bad_data_before_it_starts(tmp_path, source, name):
    data, sentence = spoilt(source, name, tmp_path)
    assert_refused(tmp_path, sentence, "run", "--source", source, "--data", data, "--work", "work")


@pytest.mark.parametrize("name", STRIPS)
def test_evaluate_and_describe_refuse_bad_strips(tmp_path, name):
    data, sentence = spoilt("strips", name, tmp_path)
    sentence = sentence.partition(", expected")[0]  # how many strips are needed differs
    if name != "extra strip":  # of no harm where only the 16 are looked for
        arguments = ("--baseline", "pixels", "--task", "matching", "--json", tmp_path / "s.json")
        before = everything(tmp_path)
        result = hpatches("evaluate", "--data", data, *arguments)
        assert (result.exit_code, everything(tmp_path)) == (2, before)
        assert sentence in result.stderr.splitlines()[-1]  # after lines of progress
    arguments = ("--model", tmp_path / "no_model", "--output", tmp_path / "out")
    if not STRIPS[name].slow:
        assert_refused(tmp_path, sentence, "describe", "--data", data, *arguments)


@pytest.mark.parametrize("source", ["strips", "sequences", "photos"])
@pytest.mark.usefixtures("no_runner")
def test_a_folder_that_is_no_data_is_refused(tmp_path, source):
    work = ("--work", "work", "--source", source)
    (tmp_path / "data").mkdir()
    assert_refused(tmp_path, "data: no ", "run", "--data", "data", *work)
    (tmp_path / "data" / "notes.txt").write_text("")
    assert_refused(tmp_path, "data: no ", "run", "--data", "data", *work)
    missing = "data.path: found no folder 'nowhere'"
    assert_refused(tmp_path, missing, "run", "--data", "nowhere", *work)
    assert_refused(tmp_path, "data.path: found no", "run", "--data", "data/notes.txt", *work)


@pytest.mark.parametrize("source", ["strips", "sequences"])
@pytest.mark.usefixtures("no_runner")
def test_a_sequence_given_for_the_folder_of_sequences_is_told(tmp_path, source):
    data = MAKE[source](tmp_path) / "v_a"
    sentence = f"{data}: is itself an image sequence, expected a folder of such folders; give the"
    assert_refused(tmp_path, sentence, "run", "--source", source, "--data", data, "--work", "work")


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("training.stages.0.variants_per_sequence=17", ": found 17, expected at most 16"),
        ("trainin.seed=1", "trainin: unknown key; did you mean 'training'?"),
        ("training.seed=one", 'training.seed: found "one", expected an integer'),
        ("warm_start=1", "warm_start: found 1, expected true or false"),
        ("training.stages.0.sequences_per_batch=17", ": found 17, expected at most 8, the patch"),
        ("data.split.rule=official", "data.split: rule 'official' needs a name"),
        ("data.split={rule: official, name: a}", "split 'a': names i_ajuntament, i_autannes, "),
        (
            "data.split={rule: file, file: my.json}",
            "my.json: split 'file': names v_nowhere, which ",
        ),
        ("data.split={rule: file, file: no.json}", "no.json: cannot be read (No such file"),
        ("data.split={rule: file, file: data/v_a/e1.png}", "e1.png: is not UTF-8 text"),
        (
            "evaluation.official_tasks=nowhere",
            "nowhere/verif_pos_split-a.csv: is missing, expected",
        ),
        ("push.destination=my.json/models", "push.destination: found the file "),
        ("push.destination=/proc/models", "push.destination: cannot write in /proc (No such file"),
        ("work_dir=/proc/work", "/proc/work: cannot write here"),
        ("work_dir=my.json", "my.json: found a file, expected a work folder"),
        (
            "work_dir=gs://bucket/work",
            "work_dir: found 'gs://bucket/work', expected a local folder",
        ),
    ],
)
@pytest.mark.usefixtures("no_runner")
def test_run_refuses_an_impossible_configuration_before_it_starts(tmp_path, override, sentence):
    release(tmp_path)
    (tmp_path / "my.json").write_text(json.dumps({"train": ["v_a", "v_b"], "test": ["v_nowhere"]}))
    small = "training.stages=[{sequences_per_batch: 8, variants_per_sequence: 2}]"
    arguments = ("--source", "strips", "--data", "data", "--set", "work_dir=work", "--set", small)
    assert_refused(tmp_path, sentence, "run", *arguments, *MATCHING_ALONE, "--set", override)


@pytest.mark.usefixtures("no_runner")
def test_a_gate_that_could_bless_no_model_is_refused_before_training(tmp_path):
    release(tmp_path)
    small = "training.stages=[{sequences_per_batch: 8, variants_per_sequence: 2}]"
    arguments = ("--source", "strips", "--data", "data", "--work", "work", "--set", small)
    sentence = "evaluation.gate.baseline.tasks: asks for retrieval, whose distractors come from"
    told = assert_refused(tmp_path, sentence, "run", *arguments)
    assert "holds out 1 source, expected at least 2; raise data.split.eval_share" in told


@pytest.mark.usefixtures("no_runner")
def test_more_patch_sequences_per_batch_than_photographs_can_give_are_refused(tmp_path):
    photographs(tmp_path)  # of four sources, two train, each with an i_ and a v_ sequence
    stages = "training.stages=[{sequences_per_batch: 11, variants_per_sequence: 2}]"
    arguments = ("--source", "photos", "--data", "data", "--work", "work", *SMALL, "--set", stages)
    sentence = "training.stages.0.sequences_per_batch: found 11, expected at most 10, the patch"
    assert_refused(tmp_path, sentence, "run", *arguments)


@pytest.mark.usefixtures("no_runner")
def test_more_patch_sequences_per_batch_than_the_demo_can_give_are_refused(tmp_path):
    stages = "training.stages=[{sequences_per_batch: 9000, variants_per_sequence: 2}]"
    result = hpatches("run", "--work", "work", "--set", stages)
    assert result.exit_code == 2
    assert "training.stages.0.sequences_per_batch: found 9000, expected at most" in result.stderr
    assert not (tmp_path / "work" / "metadata.db").exists()


@pytest.mark.usefixtures("no_runner")
def test_published_tasks_of_other_data_are_refused_before_training(tmp_path):
    release(tmp_path)
    (tmp_path / "tasks").mkdir()
    for name in ("retr_queries", "retr_distractors"):
        (tmp_path / "tasks" / f"{name}_split-a.csv").write_text("s,idx\nv_bird,3\n")
    settings = (
        "training.stages=[{sequences_per_batch: 8, variants_per_sequence: 2}]",
        "evaluation.official_tasks=tasks",
        "evaluation.tasks=[matching, retrieval]",
    )
    arguments = [part for setting in settings for part in ("--set", setting)]
    sentence = "tasks/retr_queries_split-a.csv, line 2: s is 'v_bird', expected one of the image"
    data = ("--source", "strips", "--data", "data", "--work", "work")
    assert_refused(tmp_path, sentence, "run", *data, *arguments)


def test_published_tasks_are_refused_for_what_is_no_patch_release():
    result = hpatches("config", "check", "--set", "evaluation.official_tasks=tasks")
    assert result.exit_code == 2
    assert "but data.source is 'photos'; published tasks name the patches" in result.stderr


@pytest.mark.usefixtures("no_runner")
def test_a_work_folder_that_another_run_holds_is_refused(tmp_path):
    release(tmp_path)
    small = "training.stages=[{sequences_per_batch: 8, variants_per_sequence: 2}]"
    arguments = ("--source", "strips", "--data", "data", "--work", "work", "--set", small)
    with work_lock.hold(tmp_path / "work"):
        sentence = f"work: process {os.getpid()} on "
        told = assert_refused(tmp_path, sentence, "run", *arguments, *MATCHING_ALONE)
    assert "is working in this folder; wait for it or choose another" in told


@pytest.mark.parametrize("command", ["extract", "describe"])
@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("taken", "taken: found a folder that is not empty, expected a new or empty folder"),
        ("file", "file: found a file, expected a new or empty folder"),
        ("file/out", "file/out: cannot be written (Not a directory)"),
        ("/proc/out", "/proc/out: cannot be written (No such file"),
    ],
)
def test_an_output_that_cannot_be_is_refused_before_the_work(tmp_path, command, output, sentence):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine").touch()
    (tmp_path / "file").touch()
    what = ("--source", "photos", "--input") if command == "extract" else ("--model", "m", "--data")
    assert_refused(tmp_path, sentence, command, *what, "nowhere", "--output", output)


def test_a_full_disk_leaves_nothing_of_an_extraction(tmp_path, monkeypatch):
    photographs(tmp_path)
    write = files.write_bytes

    def fills_up(path, data):
        if path.endswith("h2.png"):
            raise UserError(f"{path}: cannot be written (No space left on device)")
        write(path, data)

    monkeypatch.setattr(files, "write_bytes", fills_up)
    arguments = ("--source", "photos", "--input", "data", "--output", "out", *SMALL)
    assert_refused(tmp_path, "No space left on device", "extract", *arguments)


def test_extract_goes_on_without_bad_sequences_and_lists_them(tmp_path):
    data = sequences(tmp_path)
    (data / "v_a" / "H_1_3").write_text("1 0 0")
    halve(data / "v_c" / "5.png")
    arguments = ("--source", "sequences", "--input", data, "--output", tmp_path / "out", *SMALL)
    result = hpatches("extract", *arguments, "--skip-bad-sequences")
    assert result.exit_code == 0, result.output
    assert f"Left out: v_a: {data}/v_a/H_1_3: holds 1 rows of 3 numbers" in result.stderr
    assert f"Left out: v_c: {data}/v_c/5.png: cannot be decoded" in result.stderr
    summary = json.loads((tmp_path / "out" / "extraction.json").read_text())
    assert [item["name"] for item in summary["sequences"]] == ["v_b", "v_d"]
    assert [item["name"] for item in summary["skipped"]] == ["v_a", "v_c"]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (Path.unlink, "h3.csv: is missing, expected one CSV file for each of the 16 variants"),
        (text(""), "h3.csv: is empty, expected one row of numbers per patch"),
        (text("1,2\n" * 3), "h3.csv: holds 3 descriptors, expected 4, one for each patch of v_b"),
        (text("1,2\n1,2\n1\n1,2\n"), "h3.csv: line 3 holds 1 numbers, expected 2 as in line 1"),
        (text("1,2\n1,x\n1,2\n1,2\n"), "h3.csv: line 2, column 2 is 'x', expected a number"),
        (text("1,2,3\n" * 4), "h3.csv: descriptors have 3 numbers, expected 2 as in ref.csv"),
    ],
)
def test_evaluate_refuses_bad_descriptors(tmp_path, spoil, sentence):
    release(tmp_path)
    for name in NAMES:
        rows = np.ones((16, POINTS, 2), np.float32)
        descriptor_files.write_sequence(str(tmp_path / "csv"), name, rows)
    spoil(tmp_path / "csv" / "v_b" / "h3.csv")
    arguments = ("--data", "data", "--descriptors", "csv", "--json", "scores.json")
    assert_refused(tmp_path, f"csv/v_b/{sentence}", "evaluate", *arguments)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--split", "a"), "data: split 'a' tests on i_ajuntament, "),
        (("--split", "z"), "holds no split 'z', expected one of a, b, c, full, illum, view"),
        (("--splits", "no.json"), "no.json: cannot be read (No such file"),
        (("--splits", "my.json"), "data: split 'file' of my.json tests on v_nowhere, which "),
        (("--tasks", "nowhere"), "nowhere: found nothing, expected a folder"),
        (("--tasks", "data"), "data: holds task files of 0 splits (none), expected one"),
        (
            ("--tasks", "data", "--split", "d", "--splits", "d.json"),
            "verif_pos_split-d.csv: is missing",
        ),
        (("--json", "no/scores.json"), "--json: no/scores.json cannot be written"),
        (("--json", "/proc/scores.json"), "--json: cannot write in /proc"),
    ],
)
def test_evaluate_refuses_what_does_not_fit_the_release(tmp_path, arguments, sentence):
    release(tmp_path)
    (tmp_path / "my.json").write_text(json.dumps({"test": ["v_a", "v_nowhere"]}))
    (tmp_path / "d.json").write_text(json.dumps({"d": {"test": ["v_a", "v_b"]}}))
    told = ("--data", "data", "--baseline", "pixels", *arguments)
    assert_refused(tmp_path, sentence, "evaluate", *told)


@pytest.mark.parametrize("command", ["describe", "evaluate"])
def test_a_folder_without_a_model_is_refused(tmp_path, command):
    release(tmp_path)
    (tmp_path / "model").mkdir()
    output = ("--output", "out") if command == "describe" else ("--json", "scores.json")
    sentence = "model: holds no saved_model.pb, expected the folder of a SavedModel"
    assert_refused(tmp_path, sentence, command, "--model", "model", "--data", "data", *output)


def test_a_damaged_model_is_refused(tmp_path):
    release(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "saved_model.pb").write_bytes(b"\x08\x01\x12")
    sentence = "model: cannot be loaded as a SavedModel ("
    data = ("--model", "model", "--data", "data")
    assert_refused(tmp_path, sentence, "describe", *data, "--output", "out")
    assert_refused(tmp_path, sentence, "evaluate", *data, "--json", "scores.json")
