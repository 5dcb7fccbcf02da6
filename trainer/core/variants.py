"""The 16 patches of a physical point, as HPatches names and orders them.

Source: HPatches (Balntas et al., CVPR 2017), patch release: `ref`, then five
*easy*, five *hard* and five *tough* patches.
"""

PATCH_SIZE = 65
TARGETS = 5
NOISES = ("e", "h", "t")
NOISE_NAMES = {"e": "easy", "h": "hard", "t": "tough"}
VARIANTS = ("ref", *(f"{noise}{k}" for noise in NOISES for k in range(1, TARGETS + 1)))
KINDS = ("i", "v", "u")  # illumination, viewpoint, unspecified


def variant_index(noise: str, target: int) -> int:
    """Returns the place of a patch among the 16.

    Args:
        noise: One of `NOISES`.
        target: 0 for the reference (the same patch at every noise), 1..5 for a target image.

    Example:
        >>> VARIANTS[variant_index("h", 2)]
        'h2'
    """
    return 0 if target == 0 else 1 + NOISES.index(noise) * TARGETS + (target - 1)


def kind_of(sequence: str) -> str:
    """Returns `i`, `v` or, for a name without that prefix, `u`."""
    return sequence[0] if sequence[:2] in ("i_", "v_") else "u"
