"""The compiled DAG: what KFP and Vertex AI are told."""

import json
from pathlib import Path

import pytest
from google.protobuf import json_format
from kfp import components as kfp_components
from kfp.pipeline_spec import pipeline_spec_pb2

from pipeline.config.tree import load_config
from pipeline.graph import Places, create_pipeline
from pipeline.kfp import baked_in, files
from pipeline.kfp.check import check_spec
from pipeline.kfp.parameters import declared
from pipeline.kfp.tasks import in_order, read_tasks
from pipeline.runners import kubeflow
from tests.support.compiled import IMAGE, compiled, everything
from trainer.core.errors import UserError

BOTH = [(name, target) for name in ("demo", "everything") for target in ("kubeflow", "vertex")]


@pytest.mark.parametrize(("name", "target"), BOTH)
def test_the_tasks_are_those_of_the_one_dag(name, target):
    pipeline = create_pipeline(load_config("demo"), Places("/d", "/a", "/s"))
    tasks = read_tasks(compiled(name, target))
    assert set(tasks) == {node.id for node in pipeline.components}
    expected = {node.id: {up.id for up in node.upstream_nodes} for node in pipeline.components}
    if name == "everything":  # warm start
        expected["DescriptorTrainer"].add("ProductionModel")
    assert {task.name: set(task.after) for task in tasks.values()} == expected
    assert len(in_order(tasks)) == len(tasks)


@pytest.mark.parametrize(("name", "target"), BOTH)
def test_kfp_loads_the_file_as_it_is(tmp_path, name, target):
    spec = compiled(name, target)
    path = str(tmp_path / "pipeline.yaml")
    files.write(spec, path)
    loaded = kfp_components.load_component_from_file(path)
    assert loaded.name == spec["pipelineInfo"]["name"]
    assert set(loaded.component_spec.inputs) == set(declared(spec))
    meant = json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    assert loaded.pipeline_spec == meant
    policy = loaded.pipeline_spec.root.dag.tasks["Transform"].retry_policy
    assert (policy.max_retry_count, policy.backoff_duration.seconds) == (2, 60)


@pytest.mark.parametrize(("name", "target"), BOTH)
def test_places_are_parameters_of_the_run(name, target):
    spec = compiled(name, target)
    assert spec["schemaVersion"] == "2.1.0"
    always = {"data_path", "data_fingerprint", "push_destination"}
    more = {"tasks_path", "project", "location", "staging"} if name == "everything" else set()
    assert set(declared(spec)) == always | more
    assert all(item["description"] for item in declared(spec).values())
    left_out = {key for key, item in declared(spec).items() if "defaultValue" in item}
    assert left_out == {"data_fingerprint"}
    assert "defaultPipelineRoot" not in spec  # it comes with the run
    tasks = read_tasks(spec)
    for task, key, parameter in (
        ("PatchExampleGen", "input_base", "data_path"),
        ("PatchExampleGen", "data_fingerprint", "data_fingerprint"),
        ("ProductionModel", "push_destination", "push_destination"),
        ("Pusher", "push_destination", "push_destination"),
    ):
        given = tasks[task].given("parameters")[key]
        assert given == {"componentInputParameter": parameter}


@pytest.mark.parametrize(("name", "target"), BOTH)
def test_what_no_input_tells_is_never_cached(name, target):
    tasks = read_tasks(compiled(name, target))
    uncached = {task.name for task in tasks.values() if not task.cached}
    expected = {"ProductionModel", "DescriptorEvaluator"}
    assert uncached == (set(tasks) if target == "kubeflow" else expected)


@pytest.mark.parametrize(("name", "target"), BOTH)
def test_every_task_is_tried_again_and_has_its_time(name, target):
    spec = compiled(name, target)
    hours = {}
    for task in spec["root"]["dag"]["tasks"].values():
        assert task["retryPolicy"]["maxRetryCount"] == 2
    for key, task in read_tasks(spec).items():
        (variable,) = (
            item
            for item in task.executor["container"]["env"]
            if item["name"] == "HPATCHES_TIMEOUT_HOURS"
        )
        hours[key] = float(variable["value"])
    waiting = 48.0 if name == "everything" else 24.0  # a job's own time is a day, too
    assert hours.pop("DescriptorTrainer") == waiting
    assert set(hours.values()) == {24.0}


def test_a_timeout_is_that_of_the_configuration():
    config = load_config("demo", ["platform.resources={Transform: {timeout_hours: 1.5}}"])
    task = read_tasks(kubeflow.compile_pipeline(config, "kubeflow", IMAGE))["Transform"]
    assert {"name": "HPATCHES_TIMEOUT_HOURS", "value": "1.5"} in task.executor["container"]["env"]


def test_only_vertex_is_given_a_driver():
    for target, there in (("vertex", True), ("kubeflow", False)):
        tasks = read_tasks(compiled("demo", target))
        drivers = [
            name for name, task in tasks.items() if "lifecycle" in task.executor["container"]
        ]
        assert drivers == (["PatchExampleGen"] if there else [])


@pytest.mark.parametrize(("name", "target"), BOTH)
def test_every_task_runs_our_entry_point_in_the_image(name, target):
    for task in read_tasks(compiled(name, target)).values():
        container = task.executor["container"]  # no importer, no resolver
        assert container["image"] == IMAGE
        assert tuple(container["command"]) == kubeflow.ENTRY_POINT


def test_resources_and_beam_options_are_those_of_the_configuration():
    tasks = read_tasks(compiled("everything", "vertex"))
    containers = {name: task.executor["container"] for name, task in tasks.items()}
    assert containers["Transform"]["resources"]["cpuLimit"] == 4
    assert containers["StatisticsGen"]["resources"] == {"memoryLimit": 7.5, "memoryRequest": 7.5}
    assert containers["ServingValidator"]["resources"]["accelerator"] == {
        "type": "NVIDIA_L4",
        "count": "1",
    }
    assert "resources" not in containers["Pusher"]
    for name in ("PatchExampleGen", "StatisticsGen", "Transform", "DescriptorEvaluator"):
        assert "--runner=DataflowRunner" in containers[name]["args"]
        assert "--project={{$.inputs.parameters['project']}}" in containers[name]["args"]
        assert tasks[name].given("parameters")["project"] == {"componentInputParameter": "project"}


def test_training_on_vertex_takes_its_places_from_the_run():
    task = read_tasks(compiled("everything", "vertex"))["DescriptorTrainer"]
    assert (
        "components.descriptor_trainer.vertex.executor.Executor"
        in task.executor["container"]["args"]
    )
    for key in ("project", "location", "staging"):
        assert task.given("parameters")[key] == {"componentInputParameter": key}
    job = json.loads(task.given("parameters")["vertex_json"]["runtimeValue"]["constant"])
    assert job["machine_type"] == "cloud-tpu"


@pytest.mark.parametrize(("name", "target"), BOTH)
def test_nothing_of_a_person_a_project_or_this_machine_is_in_it(name, target):
    spec = compiled(name, target)
    assert list(baked_in.find(spec, kubeflow._of_this_machine(everything()))) == []
    text = json.dumps(spec)
    for forbidden in ("gs://", "projects/", str(Path.cwd()), str(Path(__file__).parents[3])):
        assert forbidden not in text, forbidden
    check_spec(spec)


@pytest.mark.parametrize(
    "override",
    [
        "platform.training={image: r.example.com/t/t:1, machine_type: n1-standard-8, "
        "service_account: robot@my-project.iam.gserviceaccount.com}",
        "beam=['--temp_location=gs://my-bucket/tmp']",
    ],
)
def test_a_configuration_that_would_bake_something_in_is_refused(override):
    config = load_config("demo", [override])
    with pytest.raises(UserError, match="would be part of the compiled pipeline"):
        kubeflow.compile_pipeline(config, "vertex", IMAGE)


@pytest.mark.parametrize("target", ["kubeflow", "vertex"])
def test_references_are_refused_as_they_would_be_baked_in(target):
    config = load_config("demo", ["evaluation.references={mine: {model: relative/model}}"])
    with pytest.raises(UserError, match=r"^evaluation\.references\.mine: is a path"):
        kubeflow.compile_pipeline(config, target, IMAGE)


def test_the_configurations_own_places_make_no_difference():
    here = load_config(
        "demo", ["data.path=/home/me/photographs", "push.destination=/srv/x", "work_dir=/tmp/w"]
    )
    assert kubeflow.compile_pipeline(here, "vertex", IMAGE) == compiled("demo", "vertex")
