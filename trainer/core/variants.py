"""Names of the 16 patches of a physical point, in HPatches' order, of kinds and of splits.

Source: HPatches (Balntas et al., CVPR 2017), patch release: `ref`, then five
*easy*, five *hard* and five *tough* patches.
"""

from typing import Literal, get_args

Noise = Literal["e", "h", "t"]
SplitName = Literal["train", "val", "eval"]

PATCH_SIZE = 65
INPUT_SIZE = 32  # pixels on a side of what a network sees
TARGETS = 5
NOISES = get_args(Noise)
NOISE_NAMES = {"e": "easy", "h": "hard", "t": "tough"}
VARIANTS = ("ref", *(f"{noise}{k}" for noise in NOISES for k in range(1, TARGETS + 1)))
KIND_NAMES = {"i": "illumination", "v": "viewpoint", "u": "unspecified"}
KINDS = ILLUMINATION, VIEWPOINT, UNSPECIFIED = tuple(KIND_NAMES)
SPLITS = get_args(SplitName)
TRAIN, VAL, EVAL = SPLITS


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
