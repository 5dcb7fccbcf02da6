"""Runs of the executor, for the tests of the component."""

from pathlib import Path

import pytest
import tensorflow as tf
from tfx.types import artifact_utils, standard_artifacts

from components.descriptor_evaluator import executor
from components.descriptor_evaluator.gate import slicing, verdict
from components.descriptor_evaluator.settings import EvaluationSettings
from tests.support.artifacts import artifact
from tests.support.evaluator_runs import FLOORS, TinyModel, write_examples


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Saves a tiny model once per behaviour; returns the artifact's folder."""
    made: dict[str, str] = {}

    def make(behaviour: str) -> str:
        if behaviour not in made:
            folder = tmp_path_factory.mktemp(f"model_{behaviour}")
            model = TinyModel(behaviour)
            name = "other" if behaviour == "unsigned" else "serving_default"
            tf.saved_model.save(
                model, str(folder / "Format-Serving"), signatures={name: model.serve}
            )
            made[behaviour] = str(folder)
        return made[behaviour]

    return make


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    return write_examples(tmp_path_factory.mktemp("examples"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Shared by the module, so that the baselines are scored once."""
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def without_tfma(monkeypatch):
    """TFMA takes seconds and has tests of its own."""
    monkeypatch.setattr(slicing, "run_tfma", lambda *args: None)


@pytest.fixture
def run(examples, models, cache, tmp_path):
    """Runs the executor; returns the verdict, the blessing and the evaluation's folder."""
    runs = iter(range(10))

    def run_executor(behaviour, gate_settings=FLOORS, production=None, cache_dir=cache, **inputs):
        root = tmp_path / f"run{next(runs)}"

        given = artifact(standard_artifacts.Examples, inputs.get("examples", examples))
        given.split_names = artifact_utils.encode_split_names(["train", "val", "eval"])
        input_dict = {
            "examples": [given],
            "model": [artifact(standard_artifacts.Model, inputs.get("model", models(behaviour)))],
        }
        if production is not None:
            path = inputs.get("production_model") or (models(production) if production else "")
            served = artifact(standard_artifacts.Model, path)
            served.set_string_custom_property("model_path", inputs.get("served_from", ""))
            served.set_int_custom_property("exists", int(bool(production)))
            served.set_string_custom_property("checksum", "" if production else "none")
            input_dict["baseline_model"] = [served]
        evaluation = artifact(standard_artifacts.ModelEvaluation, root / "evaluation")
        blessing = artifact(standard_artifacts.ModelBlessing, root / "blessing")
        settings = EvaluationSettings.model_validate(
            {"gate": gate_settings, "references": inputs.get("references", {})}
        )
        context = executor.Executor.Context(tmp_dir=str(root / "tmp"), unique_id="1")
        executor.Executor(context).Do(
            input_dict,
            {"evaluation": [evaluation], "blessing": [blessing]},
            {
                "settings": settings.model_dump_json(),
                "code_fingerprint": "code",
                "cache_dir": cache_dir,
            },
        )
        return verdict.read(evaluation.uri), blessing, Path(evaluation.uri)

    return run_executor
