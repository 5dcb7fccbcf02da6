"""A baseline and a metric added from outside of the package, run to a score."""

import numpy as np
import pytest

from components.descriptor_evaluator.descriptors.describer import Describer
from components.descriptor_evaluator.descriptors.handcrafted import BASELINES, Baseline
from components.descriptor_evaluator.protocol.metrics import METRICS
from components.descriptor_evaluator.protocol.verification import PairRanking
from components.descriptor_evaluator.scoring.evaluate import evaluate_release
from components.descriptor_evaluator.settings import EvaluationSettings
from pipeline.terminal import consoles
from pipeline.terminal.scores_table import print_scores
from tests.support.releases import make_release


def row_means(patches: np.ndarray) -> np.ndarray:
    """Describes uint8 [M, h, h] by the mean of each row of pixels, float32 [M, h]."""
    means = patches.mean(axis=2, dtype=np.float32)
    return means - means.mean(axis=1, keepdims=True)


def false_positives_at_95(ranking: PairRanking) -> float:
    """Share of negatives as near as 95 % of the positives."""
    reached = np.sort(ranking.before)[int(np.ceil(0.95 * len(ranking.before))) - 1]
    return float(reached / ranking.negatives)


def first_is_right(before: np.ndarray, retrieved: np.ndarray) -> np.ndarray:
    """Whether the first entry of the ranked pool is right."""
    return (np.where(retrieved, before, 1).min(axis=-1) == 0).astype(float)


def largest_distance(distance: np.ndarray, right: np.ndarray, ties: str) -> float:
    """Largest distance of a match."""
    return float(distance.max())


@pytest.fixture
def extended(monkeypatch):
    monkeypatch.setitem(BASELINES, "row-means", Baseline(f"{__name__}:row_means"))
    monkeypatch.setitem(METRICS["verification"], "fpr95", f"{__name__}:false_positives_at_95")
    monkeypatch.setitem(METRICS["retrieval"], "first", f"{__name__}:first_is_right")
    monkeypatch.setitem(METRICS["matching"], "reach", f"{__name__}:largest_distance")


@pytest.mark.usefixtures("extended")
def test_a_baseline_and_metrics_are_scored_and_printed(tmp_path, capsys):
    data = make_release(tmp_path / "release")
    (result,) = evaluate_release(data, [Describer("row-means", baseline="row-means")])
    assert result["data"]["scored"]["baseline"] == "row-means"
    assert result["data"]["degeneracy"]["dimension"] == 65
    assert 0.3 < result["matching"]["mean"] <= 1.0
    assert 0.0 <= result["verification"]["fpr95"]["inter"]["e"] < 0.9
    assert 0.3 < result["retrieval"]["first"]["mean"] <= 1.0
    assert result["retrieval"]["tie_safe"]["first"]["mean"] <= result["retrieval"]["first"]["mean"]
    assert result["matching"]["reach"]["mean"] > 0.0
    print_scores(consoles.output(), [result])
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("fpr95 inter", "first", "reach"))


@pytest.mark.usefixtures("extended")
def test_the_gate_may_use_them():
    EvaluationSettings.model_validate(
        {
            "gate": {
                "floors": [
                    {"task": "retrieval", "metric": "first@100", "at_least": 0.1},
                    {"task": "verification", "metric": "fpr95", "at_least": 0.0},
                ],
                "baseline": {"names": ["row-means"]},
            }
        }
    )
