"""Whether descriptors tell patches apart at all.

A collapsed model can score well: with identical descriptors the reference's retrieval
precision is 1. These measures look at the descriptors themselves. They do not depend on
the scale of a code (a good one scaled to 1e-7 is a good one) but on its precision: rounded
to float16 at unit length, a code that is equal up to tiny noise becomes equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.descriptor_evaluator.protocol import distances, matching
from components.descriptor_evaluator.protocol.scores import SAFE_METRIC
from trainer.model import byte_codes

_SAMPLE = 20_000
_MATCHED_SEQUENCES = 8
_MATCHED_POINTS = 300


@dataclass(frozen=True)
class Limits:
    """When descriptors are called degenerate.

    Attributes:
        max_non_finite: Largest share of descriptors with NaN or infinity.
        min_distinct: Smallest share of distinct descriptors, also after rounding.
        min_spread: Smallest spread relative to the length of the descriptors.
        min_kept: Smallest share of the tie-safe matching precision that is left after
            rounding to float16.
    """

    max_non_finite: float = 0.0
    min_distinct: float = 0.5
    min_spread: float = 1e-3
    min_kept: float = 0.8


LIMITS = Limits()


def measure(descriptors: Mapping[str, np.ndarray], seed: int = 0) -> dict[str, Any]:
    """Measures a collection.

    Args:
        descriptors: float32 [16, N, D] per image sequence.
        seed: Seed of the sample (at most 20,000 descriptors; matching looks at no more
            than 8 sequences and 300 points of each).

    Returns:
        JSON values: `descriptors` (how many), `dimension`, `non_finite_share`,
        `distinct_share` and `distinct_share_float16`, `spread` (root of the summed
        variances over the root mean square length), `matching_ap` and
        `matching_ap_float16` (tie-safe), and for descriptors of unit length
        `matching_ap_uint8` (as `trainer.model.byte_codes` stores them). Of descriptors that are
        not finite only the share is known: the rest is then about the finite ones, and the
        precisions are None.
    """
    total = broken = 0
    for values in descriptors.values():
        finite = distances.finite_rows(values)
        total, broken = total + finite.size, broken + int((~finite).sum())
    sample = _sample(descriptors, total, seed)
    sample = sample[distances.finite_rows(sample)]
    scale = _unit_scale(sample)
    report: dict[str, Any] = {
        "descriptors": total,
        "dimension": int(sample.shape[1]),
        "non_finite_share": broken / max(total, 1),
        "distinct_share": _distinct_share(sample),
        "distinct_share_float16": _distinct_share(_to_half(sample, scale)),
        "spread": _spread(sample),
        "matching_ap": None,
        "matching_ap_float16": None,
        "matching_ap_uint8": None,
    }
    if not broken and total:
        part = _few(descriptors)
        rounded = {name: _to_half(values, scale) for name, values in part.items()}
        ways = {"matching_ap": part, "matching_ap_float16": rounded}
        if _unit_length(sample):
            ways["matching_ap_uint8"] = {name: _to_bytes(values) for name, values in part.items()}
        for key, chosen in ways.items():
            report[key] = matching.mean_average_precision(chosen, SAFE_METRIC)["mean"]
    return report


def problems(report: Mapping[str, Any]) -> list[str]:
    """Returns what is wrong with descriptors, in sentences; nothing for healthy ones."""
    sentences: list[str] = []
    if report["non_finite_share"] > LIMITS.max_non_finite:
        sentences.append(
            f"{report['non_finite_share']:.2%} of the descriptors hold NaN or infinity, allowed "
            f"are {LIMITS.max_non_finite:.2%}"
        )
    for key, words in (("distinct_share", ""), ("distinct_share_float16", " as float16")):
        if report[key] < LIMITS.min_distinct:
            sentences.append(
                f"only {report[key]:.2%} of the descriptors are distinct{words}, expected at "
                f"least {LIMITS.min_distinct:.2%}: the model has collapsed"
            )
    if report["spread"] < LIMITS.min_spread:
        sentences.append(
            f"the descriptors spread over {report['spread']:.2g} of their length, expected at "
            f"least {LIMITS.min_spread:.2g}: the model has collapsed"
        )
    before, after = report["matching_ap"], report["matching_ap_float16"]
    if before is not None and after < LIMITS.min_kept * before:
        sentences.append(
            f"matching mAP falls from {before:.4f} to {after:.4f} when descriptors are rounded to "
            f"float16, expected at least {LIMITS.min_kept:.0%} of it: they differ in noise only"
        )
    return sentences


def _sample(descriptors: Mapping[str, np.ndarray], total: int, seed: int) -> np.ndarray:
    """Returns up to `_SAMPLE` descriptors [m, D], drawn without repetition."""
    share = min(1.0, _SAMPLE / max(total, 1))
    rng = np.random.default_rng([seed, 3])
    parts = []
    for name in sorted(descriptors):
        flat = descriptors[name].reshape(-1, descriptors[name].shape[-1])
        wanted = min(len(flat), max(1, round(share * len(flat))))
        parts.append(flat[np.sort(rng.choice(len(flat), wanted, replace=False))])
    return np.concatenate(parts)


def _few(descriptors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    names: Sequence[str] = sorted(descriptors)
    chosen = np.unique(np.linspace(0, len(names) - 1, _MATCHED_SEQUENCES).round().astype(int))
    return {
        names[place]: np.asarray(descriptors[names[place]][:, :_MATCHED_POINTS]) for place in chosen
    }


def _unit_scale(sample: np.ndarray) -> float:
    """Returns the factor that makes the root mean square length 1."""
    length = np.sqrt((sample.astype(np.float64) ** 2).sum(axis=1).mean()) if len(sample) else 0.0
    return float(1.0 / length) if length > 0 else 1.0


def _to_half(values: np.ndarray, scale: float) -> np.ndarray:
    """Rounds descriptors of about unit length to float16 and returns them as float32."""
    return (values.astype(np.float64) * scale).astype(np.float16).astype(np.float32)


def _to_bytes(values: np.ndarray) -> np.ndarray:
    """Rounds descriptors of unit length to bytes and returns them as float32."""
    return byte_codes.decode_array(byte_codes.encode_array(values))


def _unit_length(sample: np.ndarray) -> bool:
    return bool(np.allclose(np.linalg.norm(sample, axis=1), 1.0, atol=1e-3))


def _distinct_share(sample: np.ndarray) -> float:
    if not len(sample):
        return 0.0
    # Adding 0.0 turns -0.0 into 0.0; rows are then compared as bytes.
    rows = np.ascontiguousarray(sample + np.float32(0.0))
    return len(np.unique(rows.view(np.dtype((np.void, rows[0].nbytes))))) / len(rows)


def _spread(sample: np.ndarray) -> float:
    if not len(sample):
        return 0.0
    wide = sample.astype(np.float64)
    length = np.sqrt((wide**2).sum(axis=1).mean())
    return float(np.sqrt(wide.var(axis=0).sum()) / length) if length > 0 else 0.0
