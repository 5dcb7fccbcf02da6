"""Runs DescriptorEvaluator: scores, judges, and writes the verdict and the blessing.

Descriptors -> scores per unit (`scoring`) -> means and intervals (`statistics`) -> verdict
(`gate.decision`). TFMA slices the scores afterwards, for its own views.

What ends how:

* a finding about the model (it cannot be loaded, gives NaN, crashes while scored) and a
  crash of the judging or of TFMA refuse: the verdict says so and the blessing is
  NOT_BLESSED;
* unreadable examples, wrong settings and failing machinery (a full disk) are raised: the
  run stops, nothing is blessed, and nothing is cached that says the model was bad.
"""

from __future__ import annotations

import contextlib
import logging
import posixpath
from typing import Any

import tensorflow as tf
from tfx import types
from tfx.utils import path_utils

from components.core import executor, files
from components.core.exec_properties import read_settings
from components.core.names import (
    CANDIDATE,
    CODE_FINGERPRINT_KEY,
    EVALUATION_KEY,
    EXAMPLES_KEY,
    MODEL_KEY,
    PRODUCTION,
    ROOTSIFT,
    ROOTSIFT_SMOOTHED,
)
from components.core.user_errors import user_errors
from components.descriptor_evaluator.descriptors import saved_model
from components.descriptor_evaluator.descriptors.describer import ModelError, is_machinery
from components.descriptor_evaluator.gate import (
    blessing,
    card_scores,
    decision,
    pushed_models,
    slicing,
    verdict,
)
from components.descriptor_evaluator.gate.verdict import Production, Verdict
from components.descriptor_evaluator.protocol.task_tables import Tasks
from components.descriptor_evaluator.scoring import model_scores, recipes, result_files
from components.descriptor_evaluator.scoring.evaluation_context import (
    Candidate,
    EvaluationContext,
    open_context,
)
from components.descriptor_evaluator.scoring.scores_cache import ScoresCache
from components.descriptor_evaluator.settings import EvaluationSettings
from components.descriptor_evaluator.statistics.score_table import ScoreTable
from components.serving.pusher import push_log
from trainer.core import progress
from trainer.core.documents import read_json
from trainer.core.errors import UserError
from trainer.model import export
from trainer.model.names import SAVED_MODEL_FILE

BASELINE_MODEL_KEY = "baseline_model"
BLESSING_KEY = "blessing"
SETTINGS_KEY = "settings"
OFFICIAL_TASKS_KEY = "official_tasks"
CACHE_FOLDER_KEY = "cache_dir"
TASKS_FINGERPRINT_KEY = "tasks_fingerprint"
DESTINATION_STATE_KEY = "destination_state"

_ALWAYS_SHOWN = (ROOTSIFT, ROOTSIFT_SMOOTHED)

_EARLIER_SCORED = 3  # describing a model is what takes time; their scores are kept

_log = logging.getLogger(__name__)


class Executor(executor.BeamExecutor):
    """Scores the candidate, compares it, and blesses it or not."""

    def execute(self, execution: executor.Execution) -> None:
        """Evaluates one model.

        Reads `examples`, `model` and, if production is known, `baseline_model`; fills
        `evaluation` and `blessing`. Properties are `settings` (`EvaluationSettings` as JSON),
        `official_tasks` (in place of the settings' own), `code_fingerprint` and `cache_dir`.

        Raises:
            UserError: When settings or examples cannot be used.
            RunError: When the machinery failed.
        """
        settings = _settings(execution.properties)
        output = execution.output(EVALUATION_KEY).uri
        production = execution.inputs.get(BASELINE_MODEL_KEY) or []
        try:
            result = self._evaluate(execution, output, settings)
        except (UserError, model_scores.RunError, OSError, MemoryError, tf.errors.OpError):
            raise
        except ModelError as failure:
            result = verdict.refusal(str(failure), production=_not_compared(production))
        except Exception as error:
            _log.exception("the evaluation crashed")
            result = verdict.refusal(
                f"The evaluation crashed ({type(error).__name__}: {error}), so the model was "
                f"not judged.",
                production=_not_compared(production),
            )
        verdict.write(result, output)
        if result.blessed:
            about = read_json(files.read_text(files.join(output, result_files.ABOUT_FILE)))
            place = execution.output(BLESSING_KEY).uri
            card_scores.write(result, Tasks.load(output), about, place)
        blessing.write(
            result.blessed,
            execution.output(BLESSING_KEY),
            execution.input(MODEL_KEY),
            next(iter(production), None),
            execution.properties.get("current_component_id", ""),
        )
        _log.info("%s %s", result.summary, " ".join(result.reasons))

    def _evaluate(
        self, execution: executor.Execution, output: str, settings: EvaluationSettings
    ) -> Verdict:
        folder = self._work_folder(output)
        try:
            context = open_context(
                execution.input_uri(EXAMPLES_KEY),
                settings,
                ScoresCache(execution.properties.get(CACHE_FOLDER_KEY) or None),
                execution.properties.get(CODE_FINGERPRINT_KEY) or "",
                folder,
                self._make_beam_pipeline,
            )
            production = execution.inputs.get(BASELINE_MODEL_KEY) or []
            served = production[0].get_string_custom_property("model_path") if production else ""
            destination = posixpath.dirname(served.rstrip("/"))
            return self._judge(
                context, _models(execution.input(MODEL_KEY), production), destination, output
            )
        finally:
            files.remove_folder(folder)

    def _judge(
        self,
        context: EvaluationContext,
        models: list[Candidate],
        destination: str,
        output: str,
    ) -> Verdict:
        """Scores, writes the scores, asks the gate, and has TFMA slice them."""
        settings = context.settings
        tasks = model_scores.make_tasks(context)
        tasks.save(output)
        state = _production_state(models)
        scored = model_scores.score_all(
            context,
            tasks,
            models[:1] if state.status == "identical" else models,
            _baselines(settings),
        )
        chosen = recipes.chosen(scored)
        about = model_scores.about(context, models[0], scored[CANDIDATE]) | {"recipes": chosen}
        result_files.write(output, scored, about)
        tables = {name: ScoreTable(item.rows) for name, item in scored.items()}
        references = [
            Candidate(name, reference.model, "")
            for name, reference in settings.references.items()
            if reference.model and name in tables
        ]
        leaks = [_leak(model, tasks) for model in (*models, *references)]
        earlier, remarks = _earlier(context, tasks, models, destination)
        evidence = decision.Evidence(
            candidate=tables[CANDIDATE],
            baselines={name: tables[name] for name in _baselines(settings)},
            production=tables.get(PRODUCTION),
            production_state=state,
            earlier=earlier,
            candidate_checksum=models[0].checksum,
            degeneracy=scored[CANDIDATE].facts["degeneracy"],
            leak=leaks[0],
            notes=(
                *tasks.notes,
                *recipes.sentences(chosen),
                *filter(None, leaks[1:]),
                *(note for item in scored.values() for note in item.facts.get("notes", ())),
                *remarks,
            ),
        )
        result = decision.judge(evidence, settings.gate, settings.tasks)
        progress.report("judging", 1, 1)
        self._slice(evidence, settings, output)
        return result

    def _slice(
        self, evidence: decision.Evidence, settings: EvaluationSettings, output: str
    ) -> None:
        """Has TFMA slice the scores and write its results.

        Raises:
            RunError: When the machinery failed.
            UserError: When Beam's workers were lost.
        """
        progress.report("slicing with TFMA", 0, 1)
        try:
            batch = slicing.record_batch(
                evidence.candidate,
                evidence.baselines,
                evidence.production,
                slicing.metrics_used(settings.gate),
            )
            config = slicing.eval_config(list(evidence.baselines), evidence.production is not None)
            with user_errors():  # of the machinery: a lost worker
                slicing.run_tfma(batch, config, output, self._make_beam_pipeline)
        except UserError:
            raise
        except Exception as error:
            if is_machinery(error):
                raise model_scores.RunError(f"slicing with TFMA failed: {error}") from error
            raise
        progress.report("slicing with TFMA", 1, 1)

    def _work_folder(self, output: str) -> str:
        """Returns a folder for descriptors, on a file system that the workers share."""
        with contextlib.suppress(RuntimeError):  # no context was given: a direct call
            return posixpath.join(self._get_tmp_dir(), "descriptor_evaluator")
        return posixpath.join(output, "_work")


def _settings(exec_properties: dict[str, Any]) -> EvaluationSettings:
    text = exec_properties[SETTINGS_KEY]
    settings = read_settings(EvaluationSettings, text, "evaluation")
    given = exec_properties.get(OFFICIAL_TASKS_KEY)
    return settings.model_copy(update={"official_tasks": given}) if given else settings


def _models(artifact: types.Artifact, production: list[types.Artifact]) -> list[Candidate]:
    """Returns the candidate and, if there is one, the model in production."""
    path = path_utils.serving_model_path(artifact.uri)
    if not _holds_model(path):
        raise ModelError(f"The candidate has no SavedModel at {path}.")
    models = [Candidate(CANDIDATE, path, export.model_checksum(path))]
    if production and production[0].get_int_custom_property("exists"):
        served = path_utils.serving_model_path(production[0].uri)
        if not _holds_model(served):
            served = production[0].get_string_custom_property("model_path")
        if not _holds_model(served):
            raise ModelError(
                f"The production model has no SavedModel at {served or production[0].uri}, so the "
                f"candidate could not be compared with it."
            )
        checksum = production[0].get_string_custom_property("checksum")
        if not checksum or checksum == "none":
            checksum = export.model_checksum(served)
        models.append(Candidate(PRODUCTION, served, checksum))
    return models


def _holds_model(path: str) -> bool:
    return files.exists(posixpath.join(path, SAVED_MODEL_FILE))


def _not_compared(production: list[types.Artifact]) -> Production:
    """Returns the state of production for a candidate that was not judged."""
    if production and production[0].get_int_custom_property("exists"):
        return Production("unknown", production[0].get_string_custom_property("checksum"))
    return Production("none")


def _production_state(models: list[Candidate]) -> Production:
    if len(models) == 1:
        return Production("none")
    same = models[0].checksum == models[1].checksum
    return Production("identical" if same else "compared", models[1].checksum)


def _earlier(
    context: EvaluationContext,
    tasks: Tasks,
    models: list[Candidate],
    destination: str,
) -> tuple[dict[str, ScoreTable], list[str]]:
    """Returns the rows of other models that were pushed, by name, and remarks.

    A pushed model was once a candidate, so its rows are in the cache as long as data, tasks,
    code and libraries are the same. Of the others, the newest that still lie at the
    destination (at most `_EARLIER_SCORED`) are scored like any model; a remark tells how many
    could not be had.
    """
    if not destination or _production_state(models).status != "compared":
        return {}, []
    if not context.settings.gate.production.best_pushed:
        return {}, []
    pushed = pushed_models.pushed_models(push_log.read(destination))
    for model in models:
        pushed.pop(model.checksum, None)
    tables, unknown, left = {}, 0, _EARLIER_SCORED
    for checksum, version in sorted(pushed.items(), key=lambda item: item[1], reverse=True):
        path = posixpath.join(destination, str(version))
        model = Candidate(f"version {version}", path, checksum)
        scored = None
        if not _leak(model, tasks):
            scored = model_scores.known_scores(context, tasks, checksum)
            if scored is None and left and _lies_there(model):
                left -= 1
                scored = model_scores.score_earlier(context, tasks, model)
        if scored is None:
            unknown += 1
        else:
            tables[model.name] = ScoreTable(scored.rows)
    remark = (
        f"The candidate was not compared with {unknown} of the models pushed earlier: they have "
        f"no (fair) scores on this data, and cannot be scored (they are gone, cannot be described "
        f"or are older than the {_EARLIER_SCORED} newest)."
    )
    return tables, [remark] if unknown else []


def _lies_there(model: Candidate) -> bool:
    """Whether the very model that was pushed still lies where it was put."""
    return _holds_model(model.path) and export.model_checksum(model.path) == model.checksum


def _baselines(settings: EvaluationSettings) -> tuple[str, ...]:
    """Returns what is scored beside the models: the usual two, the gate's, the references."""
    asked = settings.gate.baseline.compared if settings.gate.baseline else ()
    return tuple(dict.fromkeys((*_ALWAYS_SHOWN, *asked, *settings.references)))


def _leak(model: Candidate, tasks: Tasks) -> str:
    """Returns a sentence when a model was trained on what it is scored on, else ""."""
    try:
        identity = saved_model.read_identity(model.path)
        saved_model.refuse_if_trained_on(identity, tasks.names, tasks.scenes)
    except UserError as error:
        return f"The {model.name} model: {error}."
    return ""
