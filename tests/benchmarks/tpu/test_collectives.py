"""Collective operations in XLA's text."""

from benchmarks.tpu.collectives import collectives

_PROGRAM = """
  %sums = (f32[1,1,1,32]{3,2,1,0:T(1,128)S(1)}, bf16[6,6,1,32]{3,2,1,0}) all-reduce(%a, %b)
  %all = f32[4,16,128]{2,1,0:T(8,128)S(1)} all-reduce(%c), replica_groups={{0,1,2,3}}
  %rows = f32[64]{0} all-gather-start(%d), dimensions={0}
  %done = f32[64]{0} all-gather-done(%rows)
  %other = f32[64]{0} add(%all-reduce.3, %all-reduce.4)
"""


def test_collectives_are_counted_once_with_all_their_results():
    counts, size = collectives(_PROGRAM)
    assert counts == {"all-reduce": 2, "all-gather": 1}
    assert size == 32 * 4 + 36 * 32 * 2 + 4 * 16 * 128 * 4 + 64 * 4


def test_a_program_of_one_core_has_none():
    assert collectives("%sum = f32[] add(%a, %b)") == ({}, 0)
