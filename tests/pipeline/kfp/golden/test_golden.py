"""The compiled DAG beside what it was: a change of either shows as a readable difference.

A wanted change is taken over with

    HPATCHES_UPDATE_GOLDEN=1 python -m pytest tests/pipeline/kfp/golden

and its difference reviewed like that of any other file. Fingerprints of code are masked, JSON
inside texts is written as the tree that it is, and what TFX says of its own artifact types is
cut down to their names.
"""

import difflib
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.kfp import files
from pipeline.runners import kubeflow
from tests.support.compiled import IMAGE, compiled, everything

_FOLDER = Path(__file__).parent
_UPDATE = "HPATCHES_UPDATE_GOLDEN"
_FINGERPRINT = re.compile(r"[0-9a-f]{16,}")
_SHOWN_LINES = 80
CASES = {
    "demo_kubeflow": ("demo", "kubeflow"),
    "everything_vertex": ("everything", "vertex"),
}


def readable(tree: Any, key: str = "") -> Any:
    """Returns a spec for the eye.

    Example:
        >>> readable({"code_fingerprint": "0123456789abcdef", "settings": '{"seed": 7}'})
        {'code_fingerprint': '(of the code)', 'settings': {'seed': 7}}
    """
    if isinstance(tree, dict):
        return {name: readable(value, name) for name, value in tree.items()}
    if isinstance(tree, list):
        return [readable(value, key) for value in tree]
    if not isinstance(tree, str):
        return tree
    if key == "sdkVersion":
        return tree.partition("-")[0]  # the same spec from every TFX
    if key == "instanceSchema":
        return tree.splitlines()[0].removeprefix("title: ")
    if tree[:1] in ("{", "["):
        try:
            return readable(json.loads(tree), key)
        except ValueError:
            return tree
    return "(of the code)" if _is_fingerprint(tree, key) else tree


def _is_fingerprint(text: str, key: str) -> bool:
    return key in ("constant", "code_fingerprint") and bool(_FINGERPRINT.fullmatch(text))


def _text(name: str, target: str) -> str:
    spec = readable(compiled(name, target))
    # The arguments repeat the declarations of the inputs; see test_adapt.
    for executor in spec["deploymentSpec"]["executors"].values():
        for part in _commands(executor["container"]):
            part["args"] = [
                "(the component's inputDefinitions)" if isinstance(word, dict) else word
                for word in part["args"]
            ]
    return files.to_text(spec, "golden.yaml")


def _commands(container: dict[str, Any]) -> list[dict[str, Any]]:
    hook = container.get("lifecycle", {}).get("preCacheCheck")
    return [container, *([hook] if hook else [])]


@pytest.mark.parametrize("case", CASES)
def test_the_compiled_dag_is_what_it_was(case):
    path = _FOLDER / f"{case}.yaml"
    now = _text(*CASES[case])
    if os.environ.get(_UPDATE):
        path.write_text(now, encoding="utf-8")
    expected = path.read_text(encoding="utf-8")
    lines = difflib.unified_diff(
        expected.splitlines(), now.splitlines(), path.name, "compiled now", lineterm="", n=6
    )
    difference = list(lines)
    if difference:
        more = len(difference) - _SHOWN_LINES
        shown = "\n".join(difference[:_SHOWN_LINES]) + (f"\n... {more} more" if more > 0 else "")
        pytest.fail(f"set {_UPDATE}=1 if this is wanted:\n{shown}", pytrace=False)


def test_a_change_of_the_dag_shows():
    """The comparison is no wider than the masks."""
    spec = compiled("demo", "kubeflow")
    before = readable(spec)
    del spec["root"]["dag"]["tasks"]["Pusher"]["inputs"]["artifacts"]["infra_blessing"]
    assert readable(spec) != before
    settings = spec["root"]["dag"]["tasks"]["DescriptorTrainer"]["inputs"]["parameters"]["training"]
    settings["runtimeValue"]["constant"] = settings["runtimeValue"]["constant"].replace("0.", "1.")
    assert readable(spec)["root"]["dag"] != before["root"]["dag"]


def test_the_same_configuration_gives_the_same_spec():
    assert kubeflow.compile_pipeline(everything(), "vertex", IMAGE) == compiled(
        "everything", "vertex"
    )
