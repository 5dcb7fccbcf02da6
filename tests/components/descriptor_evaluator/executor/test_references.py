"""The user's own descriptors beside the candidate."""

from pathlib import Path

import pytest

from tests.support.evaluator_runs import FLOORS, assert_blessing, descriptor_files_of
from trainer.core.errors import UserError

pytestmark = pytest.mark.slow


def test_the_users_own_descriptors_are_baselines_of_the_gate(run, models, tmp_path):
    strong = {"model": str(Path(models("good"), "Format-Serving"))}
    weak = descriptor_files_of("pixels", tmp_path / "csv")
    references = {"strong": strong, "weak": {"descriptors": str(weak)}}
    rule = {"names": ["strong", "weak"], "tasks": ["matching"]}
    verdict, blessing, folder = run("poor", FLOORS | {"baseline": rule}, references=references)
    assert_blessing(blessing, False)
    row = next(row for row in verdict.table if (row.task, row.noise) == ("matching", "mean"))
    assert set(row.baselines) == {"rootsift", "rootsift-smoothed", "strong", "weak"}
    assert row.baselines["strong"] > row.candidate
    below = [check for check in verdict.checks if check.name == "baseline" and not check.passed]
    assert below and all("strong" in check.sentence for check in below)
    assert (folder / "scores" / "weak.jsonl").exists()


@pytest.mark.usefixtures("without_tfma")
def test_changed_descriptors_of_a_reference_are_scored_anew(run, tmp_path):
    folder = descriptor_files_of("pixels", tmp_path / "csv")
    references = {"paper": {"descriptors": str(folder)}}

    def score() -> float:
        verdict, _, _ = run("good", references=references, cache_dir=str(tmp_path / "cache"))
        row = next(row for row in verdict.table if (row.task, row.noise) == ("matching", "mean"))
        return row.baselines["paper"]

    first = score()
    assert score() == first
    path = folder / "v_a" / "ref.csv"
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    assert score() < first


@pytest.mark.usefixtures("without_tfma")
def test_a_reference_whose_files_are_missing_is_the_users_to_mend(run, tmp_path):
    folder = descriptor_files_of("pixels", tmp_path / "csv")
    (folder / "v_b" / "t3.csv").unlink()
    with pytest.raises(UserError, match=r"references\.paper: .*v_b/t3\.csv: is missing"):
        run("good", references={"paper": {"descriptors": str(folder)}})
