"""Which kernels TensorFlow computes with on an x86-64 processor.

TensorFlow has two sets: Eigen's and oneDNN's. It chooses oneDNN's by itself on processors with
AVX-512 VNNI alone, although they train this network two to three times as fast on AVX2, too.
The choice is read once, while TensorFlow loads; `trainer/__init__.py` makes it before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping
from pathlib import Path

VARIABLE = "TF_ENABLE_ONEDNN_OPTS"
"""TensorFlow's switch: 1 for oneDNN's kernels, 0 for Eigen's."""
_CPU_INFO = Path("/proc/cpuinfo")


def choose(environment: MutableMapping[str, str], cpu_info: Path = _CPU_INFO) -> None:
    """Turns oneDNN's kernels on where they are faster; what the user has set stays.

    Args:
        environment: Variables of this process, changed in place.
        cpu_info: File in the form of `/proc/cpuinfo`; where it does not exist, nothing
            is changed.
    """
    if onednn_is_faster(cpu_flags(cpu_info), environment):
        environment[VARIABLE] = "1"


def onednn_is_faster(flags: Collection[str], environment: Mapping[str, str]) -> bool:
    """Tells whether to ask for oneDNN's kernels.

    Args:
        flags: Extensions of the processor by Linux's names, e.g. `avx2`.
        environment: Variables of this process.
    """
    return "avx2" in flags and VARIABLE not in environment


def cpu_flags(cpu_info: Path = _CPU_INFO) -> frozenset[str]:
    """Returns the extensions of the first processor; none where it is not an x86 or not told.

    Args:
        cpu_info: File in the form of `/proc/cpuinfo`.
    """
    try:
        lines = cpu_info.read_text().splitlines()
    except OSError:
        return frozenset()
    listed = (line.partition(":") for line in lines)
    return frozenset(
        next((flags for name, _, flags in listed if name.strip() == "flags"), "").split()
    )
