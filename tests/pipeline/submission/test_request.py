"""What could not run is refused before anybody is asked for anything."""

import copy
import json
import re
from pathlib import Path

import pytest

from components.descriptor_trainer.vertex.settings import VertexTrainingSettings
from pipeline.submission import request, training_job
from pipeline.submission.training_job import JobTerms
from tests.support.submitted_spec import DATA, PUSH, ROOT, spec, write
from trainer.core.errors import UserError

_PLACES = {"--data": DATA, "--push": PUSH}
_OF_THE_JOB = {"--project": "my-project", "--location": "us-west4"}
_TERMS = JobTerms("trainer@p.iam.gserviceaccount.com", "projects/12/global/networks/mine")


def prepare(folder, tree=None, target="vertex", root=ROOT, texts=(), **options):
    named = _PLACES | {f"--{name}": value for name, value in options.items()}
    return request.prepare(write(folder, tree), target, root, texts, named)


def test_a_request_has_all_that_a_platform_needs(tmp_path):
    wanted = prepare(tmp_path, root=f"{ROOT}/")
    assert wanted.spec == spec()
    assert wanted.values == {"data_path": DATA, "push_destination": PUSH, "data_fingerprint": ""}
    assert wanted.root == ROOT
    assert wanted.tasks == ["PatchExampleGen", "DescriptorTrainer"]
    assert re.fullmatch(r"small-\d{14}-[0-9a-f]{6}", wanted.name)
    assert prepare(tmp_path).name != wanted.name


def test_a_name_is_one_that_vertex_ai_takes(tmp_path):
    for name in ("9" * 128, "a" * 128):
        tree = spec()
        tree["pipelineInfo"]["name"] = name
        assert re.fullmatch(r"[a-z][-a-z0-9]{0,127}", prepare(tmp_path, tree).name)


def test_parameters_and_options_say_the_same(tmp_path):
    named = request.prepare(write(tmp_path), "vertex", ROOT, (), _PLACES)
    texts = (f"data_path={DATA}", f"push_destination={PUSH}", "data_fingerprint=7")
    given = request.prepare(write(tmp_path), "vertex", ROOT, texts)
    assert given.values == named.values | {"data_fingerprint": "7"}


def test_a_file_of_any_kind_is_read(tmp_path):
    as_json = write(tmp_path, name="small.json")
    whole = tmp_path / "job.json"
    whole.write_text(json.dumps({"pipelineSpec": spec(), "runtimeConfig": {}}))
    for path in (as_json, str(whole)):
        assert request.prepare(path, "kubeflow", ROOT, (), _PLACES).spec == spec()


def test_a_training_job_gets_project_region_and_staging_and_may_run_elsewhere(tmp_path):
    tree, places = spec(with_job=True), {"project": "my-project", "location": "us-west4"}
    submitted = prepare(tmp_path, tree, **places)
    assert submitted.spec == tree  # without terms, as it was compiled
    given = submitted.values
    assert given == given | places | {"staging": f"{ROOT}/staging"}
    other = {"project": "other-project", "location": "us-west1", "staging": "gs://other/staging"}
    texts = [f"{name}={value}" for name, value in other.items()]
    given = prepare(tmp_path, tree, texts=texts, **places).values
    assert given == given | other


def _without_image(tree):
    tree["deploymentSpec"]["executors"]["train"]["container"]["image"] = ""


def _unknown_placeholder(tree):
    container = tree["deploymentSpec"]["executors"]["make"]["container"]
    container["args"] = ["{{$.inputs.parameters['nothing']}}"]


def test_every_problem_of_a_spec_is_told_with_the_file_and_the_task(tmp_path):
    tree = spec()
    _without_image(tree)
    _unknown_placeholder(tree)
    with pytest.raises(UserError) as raised:
        prepare(tmp_path, tree)
    assert [line.split(": ")[:2] for line in str(raised.value).splitlines()] == [
        [f"{tmp_path}/small.yaml", task] for task in ("DescriptorTrainer", "PatchExampleGen")
    ]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["data_fingerprnt=1"], "parameter data_fingerprnt: unknown; did you mean data_fing"),
        (["data_fingerprint"], r"--param 'data_fingerprint': expected NAME=VALUE"),
        ([f"data_path={DATA}"], f"--data: found {DATA}, but --param data_path={DATA} as well"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(tmp_path, texts, message):
    with pytest.raises(UserError, match=message):
        prepare(tmp_path, texts=texts)


def test_an_option_for_a_parameter_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(UserError, match="--tasks: found gs://b/t, but this pipeline has no param"):
        prepare(tmp_path, tasks="gs://b/t")
    with pytest.raises(UserError, match="--project: found p, but this pipeline has no parameter"):
        prepare(tmp_path, target="kubeflow", project="p")


@pytest.mark.parametrize("place", ["photos", "/mnt/photos", "s3://bucket/photos", "gs://", "gs:b"])
def test_places_that_other_machines_cannot_reach_are_refused(tmp_path, place):
    with pytest.raises(UserError, match=f"data_path: found {place}, .*gs://BUCKET/FOLDER"):
        request.prepare(write(tmp_path), "vertex", ROOT, (), _PLACES | {"--data": place})
    with pytest.raises(UserError, match="--pipeline-root: found"):
        prepare(tmp_path, root=place)


def test_a_pipeline_with_drivers_is_not_for_kubeflow(tmp_path):
    tree = spec()
    hook = {"preCacheCheck": {"command": ["python"], "args": ["{{$}}"]}}
    tree["deploymentSpec"]["executors"]["make"]["container"]["lifecycle"] = hook
    assert prepare(tmp_path, tree).spec == tree
    with pytest.raises(UserError, match=r"PatchExampleGen has a driver .*--target kubeflow"):
        prepare(tmp_path, tree, target="kubeflow")


def test_a_job_of_another_version_is_refused(tmp_path):
    tree = spec(with_job=True)
    given = tree["root"]["dag"]["tasks"]["DescriptorTrainer"]["inputs"]["parameters"]
    settings = json.loads(given["vertex_json"]["runtimeValue"]["constant"])
    given["vertex_json"]["runtimeValue"]["constant"] = json.dumps({**settings, "gpus": 1})
    with pytest.raises(UserError, match=r"DescriptorTrainer: gpus: .*compile the pipeline again"):
        prepare(tmp_path, tree, **{key[2:]: value for key, value in _OF_THE_JOB.items()})


def test_a_training_job_gets_the_account_and_the_network_of_the_run(tmp_path):
    path = write(tmp_path, spec(with_job=True, spot=True))
    wanted = request.prepare(path, "vertex", ROOT, (), _PLACES | _OF_THE_JOB, _TERMS)
    rest, plain = copy.deepcopy(wanted.spec), spec(with_job=True)
    given, _ = (
        tree["root"]["dag"]["tasks"]["DescriptorTrainer"]["inputs"]["parameters"].pop("vertex_json")
        for tree in (rest, plain)
    )
    assert rest == plain
    settings = VertexTrainingSettings.model_validate_json(given["runtimeValue"]["constant"])
    assert settings.service_account == "trainer@p.iam.gserviceaccount.com"
    assert settings.network == "projects/12/global/networks/mine"
    assert settings.spot  # what was compiled in stays
    assert "gserviceaccount" not in Path(path).read_text()  # and the file is not touched


def test_terms_of_a_job_that_nobody_starts_are_refused(tmp_path):
    terms = JobTerms("trainer@p", options=("--training-account",))
    with pytest.raises(UserError, match="--training-account: this pipeline starts no training job"):
        request.prepare(write(tmp_path), "vertex", ROOT, (), _PLACES, terms)


def test_malformed_accounts_and_networks_are_refused():
    for account in ("me", "me@", "a b@p"):
        with pytest.raises(UserError, match=f"--account: found {account}, expected NAME@PROJ"):
            training_job.check_account("--account", account)
    for network in ("default", "projects/my-project/global/networks/default"):
        with pytest.raises(UserError, match=f"--net: found {network}, expected projects/NUMBER"):
            training_job.check_network("--net", network)
