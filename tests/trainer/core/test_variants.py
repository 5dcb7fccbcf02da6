"""The order of the 16 variants."""

from trainer.core import variants


def test_order_is_reference_then_easy_hard_tough():
    assert variants.VARIANTS[:3] == ("ref", "e1", "e2")
    assert variants.VARIANTS[6] == "h1"
    assert variants.VARIANTS[11:] == ("t1", "t2", "t3", "t4", "t5")
    assert len(variants.VARIANTS) == 16


def test_variant_index_finds_every_name():
    for noise in variants.NOISES:
        for target in range(1, 6):
            assert variants.VARIANTS[variants.variant_index(noise, target)] == f"{noise}{target}"


def test_target_zero_is_the_reference_at_every_noise():
    assert {variants.variant_index(noise, 0) for noise in variants.NOISES} == {0}


def test_kind_is_the_prefix_or_unspecified():
    kinds = [variants.kind_of(name) for name in ("i_dome", "v_wall", "wall", "iris", "v")]
    assert kinds == ["i", "v", "u", "u", "u"]
