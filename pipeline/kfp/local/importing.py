"""Plays KFP's importer: a task without a process that brings in what lies somewhere already."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pipeline.kfp.local.outcomes import Outcome
from pipeline.kfp.tasks import Task
from trainer.core.errors import UserError


def import_artifact(task: Task, values: Mapping[str, Any], identity: str) -> Outcome:
    """Returns what an importer leaves; a re-imported artifact is a new one, named by the attempt.

    Raises:
        UserError: When there is no address, or not one output.
    """
    importer = task.executor["importer"]
    source = importer.get("artifactUri", {})
    uri = source.get("constant") or values.get(source.get("runtimeParameter", ""))
    if not isinstance(uri, str) or not uri:
        raise UserError(f"{task.name}: the importer has no artifactUri; expected one")
    outputs = list(task.declared("output", "artifacts"))
    if len(outputs) != 1:
        raise UserError(f"{task.name}: the importer has {len(outputs)} outputs, expected one")
    metadata = dict(importer.get("metadata", {}))
    # Without `reimport` the artifact is the same one as long as it says the same.
    same = json.dumps([uri, importer.get("typeSchema", {}), metadata], sort_keys=True)
    imported = f"imported/{hashlib.sha256(same.encode()).hexdigest()[:16]}"
    artifact = {
        "name": f"{identity}/{outputs[0]}" if importer.get("reimport", False) else imported,
        "uri": uri,
        "type": dict(importer.get("typeSchema", {})),
        "metadata": metadata,
    }
    return Outcome("finished", {outputs[0]: [artifact]})
