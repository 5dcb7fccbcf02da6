"""Running a compiled pipeline's tasks in containers, with a container that is made up."""

import json
from pathlib import Path

import pytest

from tools.image_check import tasks
from tools.image_check.buildah import CheckError, Ran

_MAKE = {
    "inputDefinitions": {"parameters": {"data_path": {"parameterType": "STRING"}}},
    "outputDefinitions": {"artifacts": {"examples": {"artifactType": {"schemaTitle": "T"}}}},
    "executorLabel": "make",
}
_TAKE = {
    "inputDefinitions": {"artifacts": {"examples": {"artifactType": {"schemaTitle": "T"}}}},
    "outputDefinitions": {"artifacts": {"model": {"artifactType": {"schemaTitle": "M"}}}},
    "executorLabel": "take",
}


def spec(condition: str = "") -> dict:
    take = {
        "componentRef": {"name": "take"},
        "dependentTasks": ["Make"],
        "inputs": {
            "artifacts": {
                "examples": {
                    "taskOutputArtifact": {
                        "producerTask": "Make",
                        "outputArtifactKey": "examples",
                    }
                }
            }
        },
    }
    if condition:
        take["triggerPolicy"] = {"condition": condition}
    make = {
        "componentRef": {"name": "make"},
        "inputs": {"parameters": {"data_path": {"componentInputParameter": "data_path"}}},
    }
    container = {"image": "i", "command": ["python", "-m", "entry"], "args": ["{{$}}"]}
    return {
        "root": {"dag": {"tasks": {"Take": take, "Make": make}}},
        "components": {"make": _MAKE, "take": _TAKE},
        "deploymentSpec": {
            "executors": {"make": {"container": container}, "take": {"container": container}}
        },
    }


class FakeContainer:
    """Leaves what TFX's entry point leaves, and remembers what it was asked."""

    def __init__(self, volume: Path, status: int = 0) -> None:
        self.asked: list[dict] = []
        self._volume, self._status = volume, status

    def run(self, command, *, volumes, environment=None, log=None):
        assert command[:3] == ["python", "-m", "entry"]
        assert volumes == {self._volume: "/work"}
        given = json.loads(command[3])
        self.asked.append(given)
        written = tasks.on_this_machine(given["outputs"]["outputFile"], self._volume)
        written.parent.mkdir(parents=True)
        said = {
            key: {"artifacts": [{"metadata": {"blessed": 1.0}}]}
            for key in given["outputs"]["artifacts"]
        }
        written.write_text(json.dumps({"artifacts": said}))
        return Ran(self._status, "first\nlast line")


def run(tmp_path, until="Take", condition="", status=0):
    container, said = FakeContainer(tmp_path, status), []
    left = tasks.run(
        spec(condition), {"data_path": "/work/data"}, container, tmp_path, until, said.append
    )
    return left, container.asked, said


def test_each_task_runs_its_own_command_with_what_the_one_before_it_left(tmp_path):
    left, asked, said = run(tmp_path)
    assert list(left) == ["Make", "Take"]
    make, take = asked
    assert make["inputs"]["parameterValues"] == {"data_path": "/work/data"}
    made = make["outputs"]["artifacts"]["examples"]["artifacts"][0]["uri"]
    (taken,) = take["inputs"]["artifacts"]["examples"]["artifacts"]
    assert taken["uri"] == made == "/work/run/Make/outputs/examples"
    assert taken["metadata"] == {"blessed": 1.0}
    assert taken["type"] == {"instanceSchema": ""}  # as open-source Kubeflow hands it over
    assert [line.split(":")[0].strip() for line in said] == ["Make", "Take"]


def test_it_ends_with_the_task_that_was_asked_for(tmp_path):
    left, asked, _ = run(tmp_path, until="Make")
    assert list(left) == ["Make"]
    assert len(asked) == 1


@pytest.mark.parametrize(("blessed", "state"), [("1.0", "finished"), ("0.0", "skipped")])
def test_a_condition_decides_with_what_was_said_of_the_artifact(tmp_path, blessed, state):
    condition = f"inputs.artifacts['examples'].artifacts[0].metadata['blessed'] == {blessed}"
    left, asked, _ = run(tmp_path, condition=condition)
    assert left["Take"].state == state
    assert len(asked) == (2 if state == "finished" else 1)


def test_a_task_that_fails_is_named_with_its_last_words(tmp_path):
    with pytest.raises(CheckError, match="task Make failed with status 3:\nfirst\nlast line"):
        run(tmp_path, status=3)


def test_an_unknown_task_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(CheckError, match="no task 'Trainer' in the pipeline; it has Make, Take"):
        run(tmp_path, until="Trainer")
