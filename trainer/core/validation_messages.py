"""pydantic's errors as sentences: which key, what was found there, what was expected."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from trainer.core.settings import RENAMED

PLAN = "<plan>"
"""Name of the branch of `stages` that is a list, in pydantic's locations."""

_TYPES = {
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "a text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a block of keys",
    "model_type": "a block of keys",
    "none_required": "null",
}
_BOUNDS = {
    "greater_than_equal": ("at least {}", "ge"),
    "greater_than": ("more than {}", "gt"),
    "less_than_equal": ("at most {}", "le"),
    "less_than": ("less than {}", "lt"),
    "too_short": ("at least {} entries", "min_length"),
    "too_long": ("at most {} entries", "max_length"),
    "string_too_short": ("a text of at least {} characters", "min_length"),
    "string_pattern_mismatch": ("a text that matches {}", "pattern"),
    "literal_error": ("{}", "expected"),
    "enum": ("{}", "expected"),
}
_RAISED = ("value_error", "assertion_error")
_LONGEST_VALUE = 60


def key_path(location: Sequence[str | int]) -> str:
    """Returns a location as the user wrote it, e.g. `stages.0.loss`; pydantic names branches."""
    return ".".join(str(part) for part in location if part != PLAN)


def message(problems: Sequence[Any]) -> str:
    """Says what is wrong with one value.

    Args:
        problems: Entries of `ValidationError.errors()` for the same value; a union reports one
            per branch.

    Returns:
        E.g. `found 1, expected at least 2`, without the key.
    """
    kind, value = problems[0]["type"], problems[0]["input"]
    if kind == "missing":
        return "the key is missing; expected a value"
    if kind == "extra_forbidden":
        renamed = RENAMED.get(str(problems[0]["loc"][-1]))
        return (
            f"the key is called {renamed} now; rename it" if renamed else "unknown key; remove it"
        )
    expected = " or ".join(dict.fromkeys(_expected(problem) for problem in problems))
    if kind not in _RAISED:
        return f"found {_shown(value)}, expected {expected}"
    if isinstance(value, dict | list):  # the sentence names what was found
        return expected
    return f"found {_shown(value)}: {expected}"


def first_problem(error: ValidationError) -> str:
    """Returns the first problem as a sentence that begins with its key, if it has one."""
    problem = error.errors(include_url=False)[0]
    key = key_path(problem["loc"])
    return f"{key}: {message([problem])}" if key else message([problem])


def _expected(problem: Any) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind in _BOUNDS:
        text, key = _BOUNDS[kind]
        return text.format(context[key])
    if kind in _RAISED:
        return str(context.get("error", problem["msg"]))
    said = str(problem["msg"]).removeprefix("Input should be ").removeprefix("Value should be ")
    return _TYPES.get(kind, said)


def _shown(value: Any) -> str:
    """Writes a value as YAML would, but not at any length."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError):  # YAML knows keys that are no text, and lists of themselves
        text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."
