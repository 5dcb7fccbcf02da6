"""A compiled pipeline of small tasks: all that the big one has, in a tenth of a second each.

    text (importer) -> first (with a driver) -> second -> check -> push (if blessed) -> report
    number (never cached) ------------------------^

Each task notes in a journal that it ran, and does what a file beside the journal says:
`<task>.die` (it kills itself), `<task>.fail`, `<task>.mistake` and `<task>.hang`.
"""

import copy
from pathlib import Path
from typing import Any

TASKS_IN_ORDER = ("number", "text", "first", "second", "check", "push", "report")
PROCESS_TASKS = tuple(name for name in TASKS_IN_ORDER if name != "text")

_TASK_PROGRAM = """
import json, os, pathlib, signal, sys, time
invocation, name = json.loads(sys.argv[1]), sys.argv[2]
inputs, outputs = invocation["inputs"], invocation["outputs"]
values = inputs["parameterValues"]
journal = pathlib.Path(values["journal"])
with open(journal, "a") as file:
    file.write(name + "\\n")
if journal.with_name(name + ".die").exists():
    os.kill(os.getpid(), signal.SIGKILL)
if journal.with_name(name + ".fail").exists():
    sys.exit("ValueError: something broke")
if journal.with_name(name + ".mistake").exists():
    print("UserError: a.png is empty", file=sys.stderr)
    sys.exit(2)
if journal.with_name(name + ".hang").exists():
    signal.signal(signal.SIGTERM, lambda *_: (journal.with_name("ended").touch(), sys.exit(1)))
    journal.with_name("hanging").write_text(str(os.getpid()))
    time.sleep(100)
text = name + "".join(
    "(" + pathlib.Path(item["uri"], "text").read_text() + ")"
    for key in sorted(inputs["artifacts"])
    for item in inputs["artifacts"][key]["artifacts"]
)
written = {"artifacts": {}, "parameterValues": {}}
for key, listed in outputs["artifacts"].items():
    artifact = listed["artifacts"][0]
    if artifact["type"].get("schemaTitle", "").startswith("system.") or key == "unwritten":
        continue
    os.makedirs(artifact["uri"], exist_ok=True)
    pathlib.Path(artifact["uri"], "text").write_text(text)
    metadata = {**artifact["metadata"], "blessed": float(values.get("bless") != "no")}
    written["artifacts"][key] = {"artifacts": [{**artifact, "metadata": metadata}]}
for key, place in outputs["parameters"].items():
    pathlib.Path(place["outputFile"]).write_text(str(len(text)))
pathlib.Path(outputs["outputFile"]).write_text(json.dumps(written))
"""
# What a driver does: it looks at the data, and adds a parameter that changes with them.
_DRIVER_PROGRAM = """
import json, pathlib, sys
invocation = json.loads(sys.argv[1])
values = invocation["inputs"]["parameterValues"]
with open(values["journal"], "a") as file:
    file.write("first's driver\\n")
data = pathlib.Path(values["data_path"], "data")
planned = invocation["outputs"]["artifacts"]["made"]["artifacts"][0]
made = {"artifacts": [{**planned, "metadata": {"span": 3.0}}]}
seen = data.read_text() if data.is_file() else ""
written = {"artifacts": {"made": made}, "parameterValues": {"seen": seen}}
pathlib.Path(invocation["outputs"]["outputFile"]).write_text(json.dumps(written))
"""


def small_spec() -> dict[str, Any]:
    """Returns the spec; each call a new tree."""
    components, executors, tasks = {}, {}, {}

    def add_task(name: str, *inputs: str, cached: bool = True, parameters: tuple[str, ...] = ()):
        """Adds a task that takes what the tasks named `inputs` make."""
        parameters = ("journal", *parameters)
        components[name] = {
            "executorLabel": f"{name}_executor",
            "inputDefinitions": {
                "artifacts": {producer: _artifact(producer) for producer in inputs},
                "parameters": {parameter: _text() for parameter in parameters},
            },
            "outputDefinitions": {"artifacts": {"made": _artifact(name)}},
        }
        executors[f"{name}_executor"] = {
            "container": {
                "image": "registry.example.com/small:1",
                "command": ["python", "-c"],
                "args": [_TASK_PROGRAM, "{{$}}", name],
            }
        }
        tasks[name] = {
            "taskInfo": {"name": name},
            "componentRef": {"name": name},
            "dependentTasks": sorted(inputs),
            "inputs": {
                "artifacts": {
                    producer: {
                        "taskOutputArtifact": {
                            "producerTask": producer,
                            "outputArtifactKey": "made",
                        }
                    }
                    for producer in inputs
                },
                "parameters": {name: {"componentInputParameter": name} for name in parameters},
            },
            "cachingOptions": {"enableCache": True} if cached else {},
        }

    add_task("number", cached=False)
    add_task("first", "text", parameters=("data_path",))
    add_task("second", "first", "number")
    add_task("check", "second", parameters=("bless",))
    add_task("push", "check", "second")
    add_task("report", "push")
    _add_importer(components, executors, tasks)
    tasks["push"]["triggerPolicy"] = {
        "condition": "inputs.artifacts['check'].artifacts[0].metadata['blessed'] == 1.0"
    }
    executors["first_executor"]["container"]["lifecycle"] = {
        "preCacheCheck": {"command": ["python", "-c"], "args": [_DRIVER_PROGRAM, "{{$}}"]}
    }
    components["second"]["outputDefinitions"]["parameters"] = {
        "length": {"parameterType": "NUMBER_INTEGER"}
    }
    of_the_run = {
        "journal": _text(),
        "source": _text(),
        "data_path": _text(defaultValue="", isOptional=True),
        "bless": _text(defaultValue="yes", isOptional=True),
    }
    return copy.deepcopy(
        {
            "schemaVersion": "2.1.0",
            "sdkVersion": "tfx-1.16.0",
            "pipelineInfo": {"name": "small"},
            "components": components,
            "deploymentSpec": {"executors": executors},
            "root": {
                "inputDefinitions": {"parameters": of_the_run},
                "dag": {"tasks": tasks},
            },
        }
    )


def task(spec: dict[str, Any], name: str) -> dict[str, Any]:
    """Returns a task of a spec, to be changed."""
    return spec["root"]["dag"]["tasks"][name]


def container(spec: dict[str, Any], name: str) -> dict[str, Any]:
    """Returns the container that a task runs in, to be changed."""
    return spec["deploymentSpec"]["executors"][f"{name}_executor"]["container"]


def parameters_in(folder: Path, **more: str) -> dict[str, str]:
    """Returns parameters of a run whose journal is `journal` in a folder."""
    source = folder / "source"
    source.mkdir(exist_ok=True)
    (source / "text").write_text("hello")
    return {"journal": str(folder / "journal"), "source": str(source), **more}


def take_journal(folder: Path) -> list[str]:
    """Returns what ran since the last call, in order."""
    path = folder / "journal"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


def _text(**more: Any) -> dict[str, Any]:
    return {"parameterType": "STRING", **more}


def _artifact(producer: str) -> dict[str, Any]:
    return {"artifactType": _type_made_by(producer)}


def _type_made_by(task_name: str) -> dict[str, str]:
    return {"instanceSchema": f"title: tfx.{task_name.title()}\ntype: object\n"}


def _add_importer(components: dict, executors: dict, tasks: dict) -> None:
    components["text"] = {
        "executorLabel": "text_executor",
        "inputDefinitions": {"parameters": {"artifact_uri": _text()}},
        "outputDefinitions": {"artifacts": {"made": _artifact("text")}},
    }
    executors["text_executor"] = {
        "importer": {
            "artifactUri": {"runtimeParameter": "artifact_uri"},
            "typeSchema": _type_made_by("text"),
            "metadata": {"language": "en"},
        }
    }
    tasks["text"] = {
        "taskInfo": {"name": "text"},
        "componentRef": {"name": "text"},
        "inputs": {"parameters": {"artifact_uri": {"componentInputParameter": "source"}}},
    }
