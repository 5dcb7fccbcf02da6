"""The training job inside a compiled pipeline, once it is known who runs it and where.

Accounts and networks are no part of a compiled file. Its parameters are those of the DAG;
what else belongs to a run is put into the copy that is submitted.
"""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from components.descriptor_trainer.vertex import check as vertex_check
from components.descriptor_trainer.vertex.settings import VertexTrainingSettings
from pipeline.kfp.tasks import read_tasks
from trainer.core.config import TrainerConfig
from trainer.core.errors import UserError

_SETTINGS = "vertex_json"
_ACCOUNT = re.compile(r"[^@\s]+@[^@\s]+")
_NETWORK = re.compile(r"projects/\d+/global/networks/[a-z0-9-]+")


@dataclasses.dataclass(frozen=True)
class JobTerms:
    """What of a run goes for its training job.

    Attributes:
        service_account: Account that the job runs as; None: Vertex AI's own.
        network: VPC network to be in; None for none.
        options: Options that were given for the job alone, which is therefore expected.
    """

    service_account: str | None = None
    network: str | None = None
    options: tuple[str, ...] = ()


def check_account(option: str, account: str | None) -> str | None:
    """Returns the name of an account of Google Cloud.

    Raises:
        UserError: When it is none.
    """
    if account is not None and not _ACCOUNT.fullmatch(account):
        raise UserError(f"{option}: found {account}, expected NAME@PROJECT.iam.gserviceaccount.com")
    return account


def check_network(option: str, network: str | None) -> str | None:
    """Returns the name of a network.

    Raises:
        UserError: When it is none.
    """
    if network is not None and not _NETWORK.fullmatch(network):
        raise UserError(
            f"{option}: found {network}, expected projects/NUMBER/global/networks/NAME with the "
            "project's number"
        )
    return network


def with_terms(spec: Mapping[str, Any], terms: JobTerms) -> dict[str, Any]:
    """Returns a spec whose training job has the account and the network of a run.

    Raises:
        UserError: When there is no job although options were given for it.
    """
    changed = copy.deepcopy(dict(spec))
    given = {"service_account": terms.service_account, "network": terms.network}
    given = {key: value for key, value in given.items() if value is not None}
    has_job = False
    for name, settings in _jobs(changed):
        has_job = True
        if given:
            parameters = changed["root"]["dag"]["tasks"][name]["inputs"]["parameters"]
            text = settings.model_copy(update=given).model_dump_json()
            parameters[_SETTINGS] = {"runtimeValue": {"constant": text}}
    if terms.options and not has_job:
        raise UserError(
            f"{', '.join(terms.options)}: this pipeline starts no training job on Vertex AI; "
            "remove it, or compile with platform.training"
        )
    return changed


def check(spec: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Refuses a training job that cannot work, such as one that is meant for another region.

    Raises:
        UserError: With the key, what was found and what would be possible.
    """
    tasks = read_tasks(spec)
    for name, settings in _jobs(spec):
        given = tasks[name].given("parameters")
        text = _value(given.get("training", {}), values)
        training = _parsed(TrainerConfig, name, text) if text else TrainerConfig()
        vertex_check.check(settings, training, _value(given.get("location", {}), values))


def _jobs(spec: Mapping[str, Any]) -> Iterator[tuple[str, VertexTrainingSettings]]:
    """Yields the tasks that train in a job, with its settings."""
    for name, task in read_tasks(spec).items():
        text = _value(task.given("parameters").get(_SETTINGS, {}), {})
        if text:
            yield name, _parsed(VertexTrainingSettings, name, text)


def _parsed(model: Any, task: str, text: str) -> Any:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"{task}: {key}: {first['msg']}; compile the pipeline again with this version"
        ) from error


def _value(source: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    """Returns what a parameter of a task is given; None for another task's output."""
    if "componentInputParameter" in source:
        return values.get(source["componentInputParameter"])
    return source.get("runtimeValue", {}).get("constant")
