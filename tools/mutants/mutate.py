"""Mutations of Python source: one comparison, operator, constant or `and` at a time."""

from __future__ import annotations

import ast
import copy
import itertools
from collections.abc import Iterator
from typing import NamedTuple

_SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


class Mutant(NamedTuple):
    """A changed module.

    Attributes:
        line: Line of the change, from 1.
        change: The expression before and after.
        number: Place of the expression among the nodes of the module (`ast.walk`).
        changed: What stands in its place.
    """

    line: int
    change: str
    number: int
    changed: ast.AST

    def apply(self, source: str) -> str:
        """Returns the source of the changed module, without comments."""
        tree = ast.parse(source)
        target = next(itertools.islice(ast.walk(tree), self.number, None))
        vars(target).update(vars(self.changed))
        return ast.unparse(ast.fix_missing_locations(tree))


def mutants(source: str) -> Iterator[Mutant]:
    r"""Yields every mutant of a module's functions, in the order of the source.

    Example:
        >>> [item.change for item in mutants("def f(a):\n    return a + 1")]
        ['a + 1 -> a - 1', 'a + 1 -> a + 2']
    """
    tree = ast.parse(source)
    inside = [
        node
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for statement in _without_docstring(function.body)
        for node in ast.walk(statement)
    ]
    # Of nested functions once; order and number are those of the source.
    numbers = {node: number for number, node in enumerate(ast.walk(tree))}
    for node in sorted(dict.fromkeys(inside), key=_position):
        for changed in _changes(node):
            change = f"{ast.unparse(node)} -> {ast.unparse(changed)}"
            yield Mutant(_position(node)[0], change, numbers[node], changed)


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0]
    told = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return body[1:] if told else body


def _position(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """Yields changed copies of an expression."""
    if isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in _SWAPS:
        changed = copy.deepcopy(node)
        changed.op = _SWAPS[type(node.op)]()  # type: ignore[assignment]
        yield changed
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _SWAPS:
        compared = copy.deepcopy(node)
        compared.ops = [_SWAPS[type(node.ops[0])]()]  # type: ignore[list-item]
        yield compared
    for field, value in ast.iter_fields(node):
        number = value.value if isinstance(value, ast.Constant) else None
        if isinstance(number, int | float) and not isinstance(number, bool):
            holder = copy.deepcopy(node)
            setattr(holder, field, ast.Constant(number + 1))
            yield holder
