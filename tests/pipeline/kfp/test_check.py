"""What `check_spec` refuses: each case is the small pipeline with one thing broken."""

import pytest

from pipeline.kfp.check import check_image, check_spec
from tests.support.small_spec import container, small_spec, task
from trainer.core.errors import UserError


def _second_input(spec):
    return task(spec, "check")["inputs"]["artifacts"]["second"]["taskOutputArtifact"]


def _bless(spec):
    return task(spec, "check")["inputs"]["parameters"]["bless"]


def _bless_from(output: str):
    """Has the parameter come from an output parameter of `second`."""

    def change(spec):
        _bless(spec).clear()
        source = {"producerTask": "second", "outputParameterKey": output}
        _bless(spec).update(taskOutputParameter=source)

    return change


def _declared_bless(spec):
    return spec["root"]["inputDefinitions"]["parameters"]["bless"]


def _executors(spec):
    return spec["deploymentSpec"]["executors"]


def _tasks(spec):
    return spec["root"]["dag"]["tasks"]


def _outputs(spec, name):
    component = spec["components"][task(spec, name)["componentRef"]["name"]]
    return component.setdefault("outputDefinitions", {}).setdefault("parameters", {})


BROKEN = {
    "an unknown field": (
        lambda spec: spec.update(colour="red"),
        "^colour: unknown, expected one of pipelineInfo, ",
    ),
    "a wrong type": (
        lambda spec: container(spec, "check").update(image=7),
        r"^deploymentSpec\.executors\.check_executor\.container\.image: found 7, expected a text$",
    ),
    "no command": (
        lambda spec: container(spec, "check").pop("command"),
        "^check: container: no command; expected the program that the task starts$",
    ),
    "a driver without a command": (
        lambda spec: container(spec, "first")["lifecycle"]["preCacheCheck"].update(command=[]),
        "^first: driver: no command",
    ),
    "a constant of another type": (
        lambda spec: task(spec, "check")["inputs"]["parameters"].update(
            bless={"runtimeValue": {"constant": 3}}
        ),
        "^check: parameter bless: found 3, expected a text$",
    ),
    "no name": (lambda spec: spec.pop("pipelineInfo"), r"^pipelineInfo\.name: found '', expected"),
    "an earlier schema": (
        lambda spec: spec.update(schemaVersion="2.0.0"),
        r"^schemaVersion: found '2\.0\.0', expected '2\.1\.0'$",
    ),
    "no task": (lambda spec: spec["root"].update(dag={}), "has no task"),
    "no component": (
        lambda spec: spec["components"].pop("check"),
        "^check: its component does not exist$",
    ),
    "no executor": (
        lambda spec: _executors(spec).pop("check_executor"),
        "^check: found the executor none, expected a container or an importer$",
    ),
    "a task that is not there": (
        lambda spec: task(spec, "check").update(dependentTasks=["secnd"]),
        "^check: depends on the task 'secnd', which does not exist$",
    ),
    "a producer that is not there": (
        lambda spec: _second_input(spec).update(producerTask="secnd"),
        "^check: depends on the task 'secnd', which does not exist$",
    ),
    "an output that is not there": (
        lambda spec: _second_input(spec).update(outputArtifactKey="mode"),
        "^check: input second: second has no output 'mode'; expected one of made$",
    ),
    "an output of another type": (
        lambda spec: _second_input(spec).update(producerTask="first"),
        r"^check: input second: first makes tfx\.First, expected tfx\.Second$",
    ),
    "tasks that wait for each other": (
        lambda spec: task(spec, "number").update(dependentTasks=["report"]),
        "the tasks wait for each other: ",
    ),
    "an input that nobody gives": (
        lambda spec: task(spec, "check")["inputs"].pop("artifacts"),
        "^check: artifact second is declared by its component, but not given$",
    ),
    "an input that nobody declares": (
        lambda spec: spec["components"]["check"]["inputDefinitions"].pop("artifacts"),
        "^check: artifact second is given, but its component does not declare it$",
    ),
    "an unknown parameter of the run": (
        lambda spec: spec["root"]["inputDefinitions"]["parameters"].pop("bless"),
        "^check: parameter bless: the pipeline has no parameter 'bless'$",
    ),
    "a parameter of another type": (
        lambda spec: _declared_bless(spec).update(parameterType="BOOLEAN"),
        "^check: parameter bless: found a BOOLEAN, expected a STRING$",
    ),
    "an output parameter that is not there": (
        _bless_from("size"),
        "^check: parameter bless: second has no output parameter 'size'$",
    ),
    "an output parameter of another type": (
        _bless_from("length"),
        "^check: parameter bless: found a NUMBER_INTEGER, expected a STRING$",
    ),
    "a parameter without a value": (
        lambda spec: _bless(spec).clear(),
        "^check: parameter bless: found nothing, expected a value or its source$",
    ),
    "no image": (
        lambda spec: container(spec, "check").pop("image"),
        "^check: container: no image",
    ),
    "an image that is none": (
        lambda spec: container(spec, "check").update(image="My Image"),
        "^check: container: found 'My Image', expected the name of a container image",
    ),
    "a placeholder of an undeclared parameter": (
        lambda spec: container(spec, "check")["args"].append("{{$.inputs.parameters['x']}}"),
        r"^check: .*\['x'\]\}\} names an input parameter that is not declared; expected one of "
        "bless, journal$",
    ),
    "a placeholder in a driver": (
        lambda spec: container(spec, "first")["lifecycle"]["preCacheCheck"]["args"].append(
            "{{$.inputs.artifacts['no'].uri}}"
        ),
        "^first: .* names an input artifact that is not declared; expected one of text$",
    ),
    "an unknown placeholder": (
        lambda spec: container(spec, "check")["args"].append("{{$.weather}}"),
        r"^check: \{\{\$\.weather\}\} is no placeholder that is known here$",
    ),
    "a condition on an undeclared input": (
        lambda spec: task(spec, "push")["triggerPolicy"].update(
            condition="inputs.artifacts['blessing'].artifacts[0].metadata['blessed'] == 1.0"
        ),
        "^push: its condition looks at 'blessing', which is no input$",
    ),
    "a condition that cannot be read": (
        lambda spec: task(spec, "push")["triggerPolicy"].update(condition="1 =="),
        "^push: condition '1 ==' cannot be read",
    ),
    "a DAG in the DAG": (
        lambda spec: (
            spec["components"]["check"].pop("executorLabel"),
            spec["components"]["check"].update(dag={"tasks": {}}),
        ),
        "^check: its component is a DAG of its own, which is not supported$",
    ),
    "a task whose name leads out of the work folder": (
        lambda spec: _tasks(spec).update({"../../x": _tasks(spec)["push"]}),
        r"^root\.dag\.tasks: found the task '\.\./\.\./x', expected a name of ",
    ),
    "an output whose name leads out of the work folder": (
        lambda spec: _outputs(spec, "push").update({"../x": {"parameterType": "STRING"}}),
        r"^push: found the output '\.\./x', expected a name of ",
    ),
    "a resolver": (
        lambda spec: _executors(spec).update(check_executor={"resolver": {}}),
        "^check: found the executor resolver, expected a container or an importer$",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_one_sentence_says_what_is_broken_and_where(name):
    change, sentence = BROKEN[name]
    spec = small_spec()
    change(spec)
    with pytest.raises(UserError, match=sentence) as refusal:
        check_spec(spec)
    assert str(refusal.value).count("\n") == 0


def test_the_whole_pipeline_passes_and_otherwise_every_problem_is_told():
    spec = small_spec()
    check_spec(spec)
    for name in ("check", "push"):
        del container(spec, name)["image"]
    with pytest.raises(UserError) as refusal:
        check_spec(spec)
    assert [line.split(":")[0] for line in str(refusal.value).splitlines()] == ["check", "push"]


@pytest.mark.parametrize(
    "name",
    [
        "hpatches",
        "hpatches:1.0",
        "registry.example.com:5000/team/hpatches-pipeline:2026-01_a",
        f"europe-docker.pkg.dev/some-project/repo/image@sha256:{64 * 'a'}",
    ],
)
def test_names_of_images_pass(name):
    check_image("--image", name)


@pytest.mark.parametrize("name", ["", None, "UPPER/Case:1", "a b", "image:", "https://x/y", "-x"])
def test_what_names_no_image_is_refused(name):
    with pytest.raises(UserError, match=r"^--image: "):
        check_image("--image", name)
