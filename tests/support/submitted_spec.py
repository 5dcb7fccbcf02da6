"""A pipeline of two tasks, as `hpatches compile` writes them; its second trains in a job."""

import copy
from pathlib import Path
from typing import Any

from pipeline.kfp import files
from tests.components.descriptor_trainer.vertex.test_check import settings, training

IMAGE = "registry.example.com/hpatches-pipeline:1"
DATA, PUSH, ROOT = "gs://bucket/data", "gs://bucket/models", "gs://bucket/root"
_TEXT = {"parameterType": "STRING"}
_ANY = {"artifactType": {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}}
_OF_THE_JOB = ("project", "location", "staging")


def spec(with_job: bool = False, **machine: Any) -> dict[str, Any]:
    """Returns the spec.

    Args:
        with_job: Whether the second task trains in a job on Vertex AI.
        **machine: The job's settings that differ.
    """
    trainer = {"push_destination": {"componentInputParameter": "push_destination"}}
    if with_job:
        constants = {
            "vertex_json": settings(**machine).model_dump_json(),
            "training": training(256).model_dump_json(),
        }
        trainer |= {name: {"componentInputParameter": name} for name in _OF_THE_JOB}
        trainer |= {
            name: {"runtimeValue": {"constant": value}} for name, value in constants.items()
        }
    names = ("data_path", "push_destination", *(_OF_THE_JOB if with_job else ()))
    root = {name: dict(_TEXT) for name in names}
    root["data_fingerprint"] = {**_TEXT, "defaultValue": "", "isOptional": True}
    return {
        "pipelineInfo": {"name": "small"},
        "schemaVersion": "2.1.0",
        "sdkVersion": "tfx-1.16.0",
        "root": {
            "inputDefinitions": {"parameters": root},
            "dag": {
                "tasks": {
                    "DescriptorTrainer": {
                        "taskInfo": {"name": "DescriptorTrainer"},
                        "componentRef": {"name": "DescriptorTrainer"},
                        "dependentTasks": ["PatchExampleGen"],
                        "cachingOptions": {"enableCache": True},
                        "inputs": {
                            "artifacts": {
                                "examples": {
                                    "taskOutputArtifact": {
                                        "producerTask": "PatchExampleGen",
                                        "outputArtifactKey": "examples",
                                    }
                                }
                            },
                            "parameters": trainer,
                        },
                    },
                    "PatchExampleGen": {
                        "taskInfo": {"name": "PatchExampleGen"},
                        "componentRef": {"name": "PatchExampleGen"},
                        "inputs": {
                            "parameters": {"input_base": {"componentInputParameter": "data_path"}}
                        },
                    },
                }
            },
        },
        "components": {
            "PatchExampleGen": {
                "executorLabel": "make",
                "inputDefinitions": {"parameters": {"input_base": dict(_TEXT)}},
                "outputDefinitions": {"artifacts": {"examples": copy.deepcopy(_ANY)}},
            },
            "DescriptorTrainer": {
                "executorLabel": "train",
                "inputDefinitions": {
                    "artifacts": {"examples": copy.deepcopy(_ANY)},
                    "parameters": {name: dict(_TEXT) for name in trainer},
                },
            },
        },
        "deploymentSpec": {
            "executors": {
                name: {"container": {"image": IMAGE, "command": ["python"], "args": ["{{$}}"]}}
                for name in ("make", "train")
            }
        },
    }


def write(folder: Path, tree: dict[str, Any] | None = None, name: str = "small.yaml") -> str:
    """Writes a spec and returns the file."""
    path = str(folder / name)
    files.write(tree or spec(), path)
    return path
