"""Descriptors that are places on a line, and the tasks over two image sequences of them."""

import numpy as np

from components.descriptor_evaluator.protocol.tasks import Pairs, Points, Tasks


def line(*places: float) -> np.ndarray:
    """Descriptors of one variant, float32 [n, 1]."""
    return np.array(places, np.float32)[:, None]


def same_everywhere(*places: float) -> np.ndarray:
    """All 16 variants alike, float32 [16, n, 1]."""
    return np.repeat(line(*places)[None], 16, axis=0)


def points(*pairs: tuple[int, int]) -> Points:
    """Points given as (number of the image sequence, index)."""
    return Points(*np.array(pairs, np.int32).T)


def pairs(*rows: tuple[int, int, int, int, int, int]) -> Pairs:
    """Pairs given as (sequence, image, index) of both patches."""
    return Pairs(*np.array(rows, np.int32).T)


def tasks(**tables) -> Tasks:
    """Tasks over the image sequences `v_a` and `v_b` of different scenes."""
    return Tasks(
        origin="by hand",
        names=("v_a", "v_b"),
        scenes=("a", "b"),
        kinds=("v", "v"),
        counts=(1, 2),
        groups=("a", "b"),
        pool_sizes=(7,),
        **tables,
    )
