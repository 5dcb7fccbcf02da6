"""What is done to a compiled spec after TFX."""

import copy
import json

import pytest

from pipeline.config.platform import ResourceRequest
from pipeline.kfp import adapt
from pipeline.kfp.tasks import read_tasks
from tests.support.small_spec import container, small_spec
from trainer.core.errors import UserError


@pytest.fixture
def spec():
    tree = small_spec()
    before = copy.deepcopy(tree)
    yield tree
    assert tree == before  # each change is made on a copy


def test_caching_is_switched_off_for_the_named_tasks_alone(spec):
    changed = read_tasks(adapt.without_caching(spec, ["first", "check"]))
    assert {name for name, task in changed.items() if task.cached} == {"second", "push", "report"}


def test_drivers_are_taken_out(spec):
    assert "lifecycle" in container(spec, "first")
    executors = adapt.without_drivers(spec)["deploymentSpec"]["executors"]
    assert not any("lifecycle" in each.get("container", {}) for each in executors.values())


def test_resources_are_asked_for_and_are_the_limit(spec):
    request = ResourceRequest(cpu=2, memory=7.5, accelerator="NVIDIA_L4", accelerator_count=2)
    changed = adapt.with_resources(spec, {"check": request})
    assert container(changed, "check")["resources"] == {
        "cpuRequest": 2,
        "cpuLimit": 2,
        "memoryRequest": 7.5,
        "memoryLimit": 7.5,
        "accelerator": {"type": "NVIDIA_L4", "count": "2"},
    }
    told = [{"name": "HPATCHES_ACCELERATOR", "value": "NVIDIA_L4"}]
    assert container(changed, "check")["env"] == told
    assert "resources" not in container(changed, "push")
    partly = adapt.with_resources(spec, {"check": ResourceRequest(cpu=1)})
    assert container(partly, "check")["resources"] == {"cpuRequest": 1, "cpuLimit": 1}
    assert "env" not in container(partly, "check")


def test_resources_of_an_unknown_component_are_refused(spec):
    with pytest.raises(
        UserError,
        match=r"^platform\.resources: found 'chek', expected names of components: check, ",
    ):
        adapt.with_resources(spec, {"chek": ResourceRequest(cpu=1)})


def test_parameters_get_descriptions_and_defaults(spec):
    names = spec["root"]["inputDefinitions"]["parameters"]
    told = {name: f"The {name}." for name in names}
    changed = adapt.with_descriptions(spec, told, {"data_path": "x"})
    declared = changed["root"]["inputDefinitions"]["parameters"]
    assert declared["journal"]["description"] == "The journal."
    assert "defaultValue" not in declared["journal"]
    assert declared["data_path"]["defaultValue"] == "x"
    assert declared["data_path"]["isOptional"] is True


def test_parameters_that_commands_name_are_given_to_their_tasks():
    spec = small_spec()
    container(spec, "check")["args"] += [
        *adapt.in_beam_options(["--project={project}", "--plain={other}"], ["project", "region"]),
        "--json_serialized_inputs_spec_args",
        "{}",
    ]
    before = copy.deepcopy(spec)
    changed = adapt.with_parameters_of_commands(spec)
    assert spec == before
    task = read_tasks(changed)["check"]
    assert "--project={{$.inputs.parameters['project']}}" in task.executor["container"]["args"]
    assert "--plain={other}" in task.executor["container"]["args"]
    assert task.given("parameters")["project"] == {"componentInputParameter": "project"}
    assert "project" in task.declared("input", "parameters")
    assert "project" in changed["root"]["inputDefinitions"]["parameters"]
    told = json.loads(task.executor["container"]["args"][-1])
    assert told == task.component["inputDefinitions"]
    assert "project" not in read_tasks(changed)["push"].declared("input", "parameters")
