"""Mutants of a small module."""

import ast

from tools.mutants.mutate import mutants

SOURCE = '''
LIMIT = 3

def check(value, other=1):
    """Returns 5 + 5."""
    def inner(x):
        return x * 2
    if value < LIMIT and other == 0:
        return [value - 1]
    return inner(other)
'''


def test_every_comparison_operator_constant_and_junction_of_functions_is_changed_once():
    made = list(mutants(SOURCE))
    assert [item.change for item in made] == [
        "x * 2 -> x / 2",
        "x * 2 -> x * 3",
        "value < LIMIT and other == 0 -> value < LIMIT or other == 0",
        "value < LIMIT -> value <= LIMIT",
        "other == 0 -> other != 0",
        "value - 1 -> value + 1",
        "value - 1 -> value - 2",
    ]
    assert [item.line for item in made] == [7, 7, 8, 8, 8, 9, 9]


def test_a_mutant_differs_from_the_module_in_its_change_alone():
    plain = ast.unparse(ast.parse(SOURCE))
    for mutant in mutants(SOURCE):
        before, _, after = mutant.change.partition(" -> ")
        assert mutant.apply(SOURCE) == plain.replace(before, after, 1)
