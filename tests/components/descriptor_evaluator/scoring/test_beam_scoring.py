"""Scoring in Beam gives the scores of `score`, bit for bit."""

import pickle

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from components.core.names import TASK_NAMES
from components.descriptor_evaluator.descriptors.store import StoredDescriptors
from components.descriptor_evaluator.protocol.tasks import (
    SequenceInfo,
    TaskSettings,
    draw,
    matching_only,
)
from components.descriptor_evaluator.scoring.beam_scoring import score_in_beam
from components.descriptor_evaluator.scoring.score import score
from components.descriptor_evaluator.scoring.scores_cache import rows_to_lines

COUNTS = {"i_one": 9, "v_one": 14, "v_three": 6, "v_two": 11}
SCENES = {"i_one": "one", "v_one": "one", "v_three": "three", "v_two": "two"}
FLAVOURS = ("good", "tied", "collapsed", "nan")


def collection(flavour: str) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(FLAVOURS.index(flavour))
    descriptors = {}
    for name, count in COUNTS.items():
        values = rng.normal(size=(1, count, 16)) + 0.4 * rng.normal(size=(16, count, 16))
        if flavour == "tied":
            values = np.sign(values[..., :4])
        elif flavour == "collapsed":
            values = 1.0 + 1e-7 * values
        elif flavour == "nan":
            values[rng.random(values.shape[:2]) < 0.1] = np.nan
        descriptors[name] = values.astype(np.float32)
    return descriptors


@pytest.fixture(scope="module")
def tasks():
    infos = [SequenceInfo(name, SCENES[name], name[0], count) for name, count in COUNTS.items()]
    return draw(infos, TaskSettings(queries_per_point=0.5))


def stored(values, folder):
    for name, array in values.items():
        np.save(folder / f"{name}.npy", array)
    return StoredDescriptors(str(folder), list(values))


def lines_of(descriptors, tasks, folder, options=(), which=TASK_NAMES, distance="l2"):
    """Scores in Beam and returns the scores as they are written."""

    def make_pipeline():
        return beam.Pipeline(options=PipelineOptions(list(options)))

    rows = score_in_beam(
        descriptors, tasks, which, distance, make_pipeline=make_pipeline, folder=str(folder)
    )
    return rows_to_lines(rows)


@pytest.mark.parametrize("distance", ["l1", "l2"])
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_scores_are_those_of_the_array_functions(flavour, distance, tasks, tmp_path):
    values = collection(flavour)
    expected = rows_to_lines(score(values, tasks, distance=distance))
    assert expected.count("\n") == 6 + 4 * 15 + 3 * len(tasks.queries)
    if (flavour, distance) == ("good", "l1"):  # L1 orders codes of two values as L2 does
        assert expected != rows_to_lines(score(values, tasks))
    assert lines_of(stored(values, tmp_path), tasks, tmp_path, distance=distance) == expected


@pytest.mark.slow
def test_several_worker_processes_change_nothing(tasks, tmp_path):
    values = collection("tied")
    several = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
    expected = rows_to_lines(score(values, tasks))
    assert lines_of(stored(values, tmp_path), tasks, tmp_path, several) == expected


@pytest.mark.parametrize("task", TASK_NAMES)
def test_only_asked_tasks_are_scored(task, tasks, tmp_path):
    values = collection("good")
    expected = rows_to_lines(score(values, tasks, [task]))
    assert lines_of(stored(values, tmp_path), tasks, tmp_path, which=[task]) == expected


def test_tasks_without_tables_have_no_rows(tmp_path):
    tasks = matching_only([SequenceInfo("v_two", "two", "v", COUNTS["v_two"])])
    values = {"v_two": collection("good")["v_two"]}
    expected = rows_to_lines(score(values, tasks))
    assert expected.count("\n") == 15
    assert lines_of(stored(values, tmp_path), tasks, tmp_path) == expected


def test_opened_descriptors_travel_as_names_alone(tmp_path):
    descriptors = stored(collection("good"), tmp_path)
    assert descriptors["v_one"].shape == (16, 14, 16)
    assert len(pickle.dumps(descriptors)) < 1000


def test_descriptors_of_another_number_of_points_are_refused(tasks, tmp_path):
    values = collection("good")
    values["v_two"] = values["v_two"][:, 1:]
    for scored in (
        lambda: score(values, tasks),
        lambda: lines_of(stored(values, tmp_path), tasks, tmp_path),
    ):
        with pytest.raises(ValueError, match=r"v_two have shape \(16, 10, 16\), expected \(16, 11"):
            scored()
    del values["v_two"]
    with pytest.raises(ValueError, match="v_two have shape None"):
        score(values, tasks)
