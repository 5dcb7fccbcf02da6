"""The collective operations of an XLA program; needs the standard library alone."""

from __future__ import annotations

import math
import re
from collections import Counter

_COLLECTIVE = re.compile(
    r"= (\S+|\(.*?\)) (all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute)"
    r"(?:-start)?\("
)
_SHAPE = re.compile(r"[a-z]+(\d+)\[([\d,]*)\]")  # e.g. f32[4,256,128]


def collectives(program: str) -> tuple[dict[str, int], int]:
    """Returns how many collective operations a program has, by name, and their results' bytes.

    Args:
        program: As XLA prints it.

    Example:
        >>> collectives("%sum = f32[4,2]{1,0:T(8,128)} all-reduce(%part), replica_groups={{0,1}}")
        ({'all-reduce': 1}, 32)
    """
    found = [(match[1], match[2]) for match in _COLLECTIVE.finditer(program)]
    size = sum(
        int(bits) // 8 * math.prod(int(length) for length in lengths.split(",") if length)
        for shape, _ in found
        for bits, lengths in _SHAPE.findall(shape)
    )
    return dict(Counter(name for _, name in found)), size
