"""The placeholders in a container's command, e.g. `{{$.inputs.parameters['data_path']}}`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

INVOCATION = "{{$}}"
"""Stands for the whole ExecutorInput as JSON."""

_ANY = re.compile(r"\{\{\$.*?\}\}")
_KEYED = re.compile(
    r"\{\{\$\.(?P<direction>input|output)s\.(?P<kind>parameter|artifact)s\['(?P<key>[^']+)'\]"
    r"(?P<field>\.\w+)?\}\}"
)
_FIELDS = {
    ("input", "parameter"): (None,),
    ("input", "artifact"): (".uri", ".path", ".value"),
    ("output", "artifact"): (".uri", ".path"),
    ("output", "parameter"): (".output_file",),
}
_OF_THE_RUN = tuple(
    f"{{{{$.{name}}}}}"
    for name in (
        "pipeline_job_name",
        "pipeline_job_uuid",
        "pipeline_task_name",
        "pipeline_task_uuid",
        "pipeline_root",
    )
)


def input_parameter(name: str) -> str:
    """Returns the placeholder of an input parameter.

    Example:
        >>> input_parameter("project")
        "{{$.inputs.parameters['project']}}"
    """
    return f"{{{{$.inputs.parameters['{name}']}}}}"


def problems(words: Iterable[str], declared: Mapping[tuple[str, str], Iterable[str]]) -> list[str]:
    """Returns a sentence on every placeholder that nothing will be put in for.

    Args:
        words: The command and its arguments.
        declared: Names of what the component declares, by direction (`input`, `output`) and
            kind (`artifact`, `parameter`).
    """
    sentences = []
    for placeholder in dict.fromkeys(match for word in words for match in _ANY.findall(word)):
        if placeholder == INVOCATION or placeholder in _OF_THE_RUN:
            continue
        keyed = _KEYED.fullmatch(placeholder)
        place = (keyed["direction"], keyed["kind"]) if keyed else ("", "")
        if keyed is None or keyed["field"] not in _FIELDS[place]:
            sentences.append(f"{placeholder} is no placeholder that is known here")
        elif keyed["key"] not in declared[place]:
            sentences.append(
                f"{placeholder} names an {place[0]} {place[1]} that is not declared; expected one "
                f"of {', '.join(sorted(declared[place])) or '(none)'}"
            )
    return sentences


def fill(word: str, values: Mapping[str, str]) -> str:
    """Puts values in for placeholders, each as often as it occurs.

    Example:
        >>> fill("--to={{$.pipeline_root}}/x", {"{{$.pipeline_root}}": "/r"})
        '--to=/r/x'
    """
    # In one pass: a value may hold what looks like a placeholder.
    return _ANY.sub(lambda match: values.get(match[0], match[0]), word)
