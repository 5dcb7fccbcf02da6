"""Conditions of tasks: the part of CEL that TFX's and kfp's compilers write.

For example `inputs.artifacts['blessing'].artifacts[0].metadata['blessed'] == 1.0`. The syntax
is read with Python's own parser after the operators are translated; only what is listed here
is evaluated. CEL: https://github.com/google/cel-spec/blob/master/doc/langdef.md
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

_TOKEN = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|&&|\|\||!(?!=)|\btrue\b|\bfalse\b""")
_IN_PYTHON = {"&&": " and ", "||": " or ", "!": " not ", "true": "True", "false": "False"}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_CALLS: dict[str, Callable[[Any], Any]] = {"int": int, "double": float, "string": str, "size": len}


class ConditionError(ValueError):
    """A condition that cannot be read or evaluated; says why."""


def parse(condition: str) -> ast.expr:
    """Reads a condition.

    Raises:
        ConditionError: When it is not of the part of CEL that is known here.
    """
    text = _TOKEN.sub(lambda match: _IN_PYTHON.get(match[0], match[0]), condition)
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise ConditionError(f"{condition!r} cannot be read ({error.msg})") from error
    for node in ast.walk(tree):
        if not isinstance(node, _KNOWN):
            raise ConditionError(f"{condition!r} holds a {type(node).__name__}, not known here")
        if isinstance(node, ast.Name) and node.id not in ("inputs", *_CALLS):
            raise ConditionError(f"{condition!r} names {node.id!r}; expected inputs")
    return tree


def input_artifacts(condition: str) -> set[str]:
    """Returns the names of the input artifacts that a condition looks at.

    Raises:
        ConditionError: See `parse`.
    """
    return {
        node.slice.value
        for node in ast.walk(parse(condition))
        if isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "artifacts"
        and isinstance(node.slice.value, str)
    }


def holds(condition: str, inputs: Mapping[str, Any]) -> bool:
    """Evaluates a condition.

    Args:
        condition: CEL over `inputs`.
        inputs: The ExecutorInput's `inputs`: `artifacts` and `parameterValues`.

    Raises:
        ConditionError: When it cannot be read, looks at what is not there, compares values
            of different types, or is not true or false in the end.

    Example:
        >>> holds("inputs.parameter_values['n'] > 2.0 && true", {"parameterValues": {"n": 3}})
        True
    """
    known = {
        "artifacts": inputs.get("artifacts", {}),
        "parameter_values": inputs.get("parameterValues", {}),
        "parameters": inputs.get("parameterValues", {}),
    }
    try:
        value = _value(parse(condition), known)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        if isinstance(error, ConditionError):
            raise ConditionError(f"{condition!r}: {error}") from error
        raise ConditionError(f"{condition!r}: {error!r}") from error
    if not isinstance(value, bool):
        raise ConditionError(f"{condition!r} is {value!r}, neither true nor false")
    return value


_KNOWN = (
    *(ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.Compare, *_COMPARE),
    *(ast.BinOp, ast.Add, ast.Constant, ast.Subscript, ast.Attribute, ast.Name, ast.Call),
    ast.Load,
)


def _value(node: ast.expr, inputs: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return inputs
    if isinstance(node, ast.Attribute):
        return _value(node.value, inputs)[node.attr]
    if isinstance(node, ast.Subscript):
        return _value(node.value, inputs)[_value(node.slice, inputs)]
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in _CALLS or len(node.args) != 1:
            raise ConditionError(f"{ast.unparse(node)} is no function that is known here")
        return _CALLS[name](_value(node.args[0], inputs))
    if isinstance(node, ast.BoolOp):
        decide = all if isinstance(node.op, ast.And) else any
        return decide(_value(part, inputs) for part in node.values)
    if isinstance(node, ast.UnaryOp):
        value = _value(node.operand, inputs)
        return not value if isinstance(node.op, ast.Not) else -value
    if isinstance(node, ast.BinOp):
        return _value(node.left, inputs) + _value(node.right, inputs)
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        left, right = _value(node.left, inputs), _value(node.comparators[0], inputs)
        if _kind(left) is not _kind(right):
            raise ConditionError(f"{left!r} and {right!r} are of different types")
        return _COMPARE[type(node.ops[0])](left, right)
    raise ConditionError(f"{ast.unparse(node)} is not known here")


def _kind(value: Any) -> type:
    """Returns a type that comparable values share: all numbers of a spec are doubles."""
    return float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)
