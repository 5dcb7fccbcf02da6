"""The Beam transforms give the rows of the array functions, bit for bit."""

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from components.descriptor_evaluator.protocol.tasks import (
    SequenceInfo,
    TaskSettings,
    draw,
    matching_only,
)
from components.descriptor_evaluator.scoring import beam_tasks, evaluate
from components.descriptor_evaluator.scoring.scores_cache import rows_to_lines

COUNTS = {"i_one": 9, "v_one": 14, "v_three": 6, "v_two": 11}
SOURCES = {"i_one": "one", "v_one": "one", "v_three": "three", "v_two": "two"}
FLAVOURS = ("good", "tied", "collapsed", "nan")


def collection(flavour: str) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(FLAVOURS.index(flavour))
    found = {}
    for name, count in COUNTS.items():
        values = rng.normal(size=(1, count, 16)) + 0.4 * rng.normal(size=(16, count, 16))
        if flavour == "tied":
            values = np.sign(values[..., :4])
        elif flavour == "collapsed":
            values = 1.0 + 1e-7 * values
        elif flavour == "nan":
            values[rng.random(values.shape[:2]) < 0.1] = np.nan
        found[name] = values.astype(np.float32)
    return found


@pytest.fixture(scope="module")
def tasks():
    infos = [SequenceInfo(name, SOURCES[name], name[0], count) for name, count in COUNTS.items()]
    return draw(infos, TaskSettings(queries_per_point=0.5))


def stored(values, folder):
    for name, array in values.items():
        np.save(folder / f"{name}.npy", array)
    return {name: str(folder / f"{name}.npy") for name in values}


def lines_of(descriptors, tasks, folder, options=(), which=evaluate.TASK_NAMES, distance="l2"):
    """Scores in Beam and returns the rows as they are written."""
    tasks.save(str(folder))
    with beam.Pipeline(options=PipelineOptions(list(options))) as pipeline:
        _ = (
            pipeline
            | beam.Create(list(descriptors.items()))
            | beam_tasks.ScoreTasks(tasks, str(folder), which, distance)
            | beam_tasks.WriteRows(str(folder / "rows.jsonl"), tasks)
        )
    return (folder / "rows.jsonl").read_text()


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_rows_are_those_of_the_array_functions(flavour, tasks, tmp_path):
    values = collection(flavour)
    expected = rows_to_lines(evaluate.score(values, tasks))
    assert expected.count("\n") == 6 + 4 * 15 + 3 * len(tasks.queries)
    assert lines_of(stored(values, tmp_path), tasks, tmp_path) == expected


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_rows_by_l1_are_those_of_the_array_functions(flavour, tasks, tmp_path):
    values = collection(flavour)
    expected = rows_to_lines(evaluate.score(values, tasks, distance="l1"))
    if flavour == "good":  # L1 orders codes of two values as L2 does
        assert expected != rows_to_lines(evaluate.score(values, tasks))
    assert lines_of(stored(values, tmp_path), tasks, tmp_path, distance="l1") == expected


def test_arrays_serve_as_well_as_files(tasks, tmp_path):
    values = collection("good")
    expected = rows_to_lines(evaluate.score(values, tasks))
    assert lines_of(values, tasks, tmp_path) == expected


@pytest.mark.slow
def test_several_worker_processes_change_nothing(tasks, tmp_path):
    values = collection("tied")
    several = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
    expected = rows_to_lines(evaluate.score(values, tasks))
    assert lines_of(stored(values, tmp_path), tasks, tmp_path, several) == expected


@pytest.mark.parametrize("task", evaluate.TASK_NAMES)
def test_only_asked_tasks_are_scored(task, tasks, tmp_path):
    values = collection("good")
    expected = rows_to_lines(evaluate.score(values, tasks, [task]))
    assert lines_of(stored(values, tmp_path), tasks, tmp_path, which=[task]) == expected


def test_tasks_without_tables_have_no_rows(tmp_path):
    tasks = matching_only([SequenceInfo("v_two", "two", "v", COUNTS["v_two"])])
    values = {"v_two": collection("good")["v_two"]}
    expected = rows_to_lines(evaluate.score(values, tasks))
    assert expected.count("\n") == 15
    assert lines_of(stored(values, tmp_path), tasks, tmp_path) == expected


@pytest.mark.parametrize("task", ["verification", "retrieval"])
def test_missing_descriptors_are_an_error_not_another_score(task, tasks, tmp_path):
    paths = stored(collection("good"), tmp_path)
    for name in COUNTS:
        rest = {other: path for other, path in paths.items() if other != name}
        with pytest.raises(ValueError, match=r"descriptors of .+ are missing"):
            lines_of(rest, tasks, tmp_path, which=[task])


def test_descriptors_of_another_number_of_points_are_refused(tasks, tmp_path):
    values = collection("good")
    values["v_two"] = values["v_two"][:, 1:]
    with pytest.raises(ValueError, match=r"v_two have shape \(16, 10, 16\), expected \(16, 11, D"):
        lines_of(values, tasks, tmp_path, which=["matching"])
