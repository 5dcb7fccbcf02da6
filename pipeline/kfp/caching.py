"""What Kubeflow Pipelines may take from its cache in a run.

Its driver takes a result for an equal execution whether or not the files are still there: after
a lifecycle rule has deleted them, every later run fails. And no driver of TFX looks at the
data there. So nothing is cached in a compiled pipeline, and in a run only what costs most
before the training, the patches, when the run says by which data they are, and for a week.
"""

from __future__ import annotations

import copy
import datetime
from collections.abc import Mapping
from typing import Any

from components.core.names import EXAMPLE_GEN

FINGERPRINT = "data_fingerprint"
_CACHED = EXAMPLE_GEN


def for_run(
    spec: Mapping[str, Any], values: Mapping[str, Any], today: datetime.date | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Switches caching on where a run's parameters allow it.

    Returns:
        The spec and the parameters. The week becomes part of the fingerprint, so that what
        is reused is never older: a rule that deletes what is older than two weeks is safe.

    Example:
        >>> for_run({"root": {}}, {"data_fingerprint": "v1"}, datetime.date(2026, 1, 1))
        ({'root': {}}, {'data_fingerprint': 'v1'})
    """
    changed, given = copy.deepcopy(dict(spec)), dict(values)
    task = changed.get("root", {}).get("dag", {}).get("tasks", {}).get(_CACHED)
    if task is not None and given.get(FINGERPRINT):
        task["cachingOptions"] = {"enableCache": True}
        year, week, _ = (today or datetime.datetime.now(datetime.timezone.utc).date()).isocalendar()
        given[FINGERPRINT] = f"{given[FINGERPRINT]}, week {week} of {year}"
    return changed, given
