"""What a user may get wrong: one sentence, exit 2, nothing left behind."""

import json
from pathlib import Path

import pytest

from tests.pipeline.commands.bad_data import (
    CASES,
    MAKE,
    SMALL,
    STRIPS,
    WORD_CASES,
    assert_refused,
    everything,
    halve,
    hpatches,
    release,
    sequences,
)


def spoilt(scene: str, name: str, root: Path) -> tuple[Path, str]:
    """Makes data, spoils it, and returns it with the sentence expected."""
    case = CASES[scene][name]
    data = MAKE[scene](root)
    path = case.path(data)
    case.spoil(path)
    place = path.parent if case.of_folder else path
    return data, f"{place}: " + ("p1.bmp and p1.png " * (path.suffix == ".bmp")) + case.sentence


@pytest.mark.parametrize(("scene", "name"), [case for case in WORD_CASES if case[0] != "strips"])
def test_extract_refuses_bad_data(tmp_path, scene, name):
    data, sentence = spoilt(scene, name, tmp_path)
    arguments = ("--format", scene, "--input", data, "--output", tmp_path / "deep" / "out", *SMALL)
    assert assert_refused(tmp_path, sentence, "extract", *arguments).startswith(str(data))


@pytest.mark.parametrize(
    ("scene", "name"), [(s, name) for s, name in WORD_CASES if not CASES[s][name].slow]
)
@pytest.mark.usefixtures("no_runner")
def test_run_refuses_bad_data_before_it_starts(tmp_path, scene, name):
    data, sentence = spoilt(scene, name, tmp_path)
    assert_refused(tmp_path, sentence, "run", "--format", scene, "--data", data, "--work", "work")


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


@pytest.mark.parametrize("scene", ["strips", "sequences", "photos"])
@pytest.mark.usefixtures("no_runner")
def test_a_folder_that_is_no_data_is_refused(tmp_path, scene):
    work = ("--work", "work", "--format", scene)
    (tmp_path / "data").mkdir()
    assert_refused(tmp_path, "data: found nothing to read", "run", "--data", "data", *work)
    (tmp_path / "data" / "notes.txt").write_text("")
    assert_refused(tmp_path, "data: found nothing to read", "run", "--data", "data", *work)
    missing = "data.path: found no folder 'nowhere'"
    assert_refused(tmp_path, missing, "run", "--data", "nowhere", *work)
    assert_refused(tmp_path, "data.path: found no", "run", "--data", "data/notes.txt", *work)


@pytest.mark.parametrize("scene", ["strips", "sequences"])
@pytest.mark.usefixtures("no_runner")
def test_a_sequence_given_for_the_folder_of_sequences_is_told(tmp_path, scene):
    data = MAKE[scene](tmp_path) / "v_a"
    sentence = f"{data}: is itself an image sequence, expected a folder of such folders; give the"
    assert_refused(tmp_path, sentence, "run", "--format", scene, "--data", data, "--work", "work")


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
    what = ("--format", "photos", "--input") if command == "extract" else ("--model", "m", "--data")
    assert_refused(tmp_path, sentence, command, *what, "nowhere", "--output", output)


@pytest.mark.parametrize("content", [None, b"\x08\x01\x12"], ids=["no model", "a damaged one"])
def test_a_folder_without_a_model_that_loads_is_refused(tmp_path, content):
    release(tmp_path)
    (tmp_path / "model").mkdir()
    sentence = "model: holds no saved_model.pb, expected the folder of a SavedModel"
    if content is not None:
        (tmp_path / "model" / "saved_model.pb").write_bytes(content)
        sentence = "model: cannot be loaded as a SavedModel ("
    data = ("--model", "model", "--data", "data")
    assert_refused(tmp_path, sentence, "describe", *data, "--output", "out")
    assert_refused(tmp_path, sentence, "evaluate", *data, "--json", "scores.json")


def test_extract_goes_on_without_bad_sequences_and_lists_them(tmp_path):
    data = sequences(tmp_path)
    (data / "v_a" / "H_1_3").write_text("1 0 0")
    halve(data / "v_c" / "5.png")
    arguments = ("--format", "sequences", "--input", data, "--output", tmp_path / "out", *SMALL)
    result = hpatches("extract", *arguments, "--skip-bad-sequences")
    assert result.exit_code == 0, result.output
    assert f"Left out: v_a: {data}/v_a/H_1_3: holds 1 rows of 3 numbers" in result.stderr
    assert f"Left out: v_c: {data}/v_c/5.png: cannot be decoded" in result.stderr
    summary = json.loads((tmp_path / "out" / "extraction.json").read_text())
    assert [item["name"] for item in summary["sequences"]] == ["v_b", "v_d"]
    assert [item["name"] for item in summary["skipped"]] == ["v_a", "v_c"]


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
        (
            ("--json", "no/scores.json"),
            "--json: no/scores.json cannot be written; expected a file name in a folder that is",
        ),
        (("--json", "/proc/scores.json"), "--json: cannot write in /proc"),
    ],
)
def test_evaluate_refuses_what_does_not_fit_the_release(tmp_path, arguments, sentence):
    release(tmp_path)
    (tmp_path / "my.json").write_text(json.dumps({"test": ["v_a", "v_nowhere"]}))
    (tmp_path / "d.json").write_text(json.dumps({"d": {"test": ["v_a", "v_b"]}}))
    told = ("--data", "data", "--baseline", "pixels", *arguments)
    assert_refused(tmp_path, sentence, "evaluate", *told)
