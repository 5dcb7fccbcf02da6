"""ExampleGen under TFX's own driver: spans, versions and what makes it run again."""

import shutil
from pathlib import Path

import pytest
from tfx.orchestration import metadata
from tfx.orchestration import pipeline as tfx_pipeline

from components.example_gen.component import PatchExampleGen
from components.example_gen.settings import DataSettings
from pipeline.runners.local import LocalRunner, RunResult, fingerprint_of_files
from trainer.core.errors import UserError
from trainer.data import manifest


def _run(data: Path, work: Path, pattern: str | None = None) -> RunResult:
    component = PatchExampleGen(
        input_base=str(data),
        format="strips",
        settings_json=DataSettings(format="strips").model_dump_json(),
        split_lists=None,
        code_fingerprint="",
        data_fingerprint=fingerprint_of_files(str(data)),
        pattern=pattern,
    )
    return LocalRunner().run(
        tfx_pipeline.Pipeline(
            pipeline_name="only-example-gen",
            pipeline_root=str(work / "artifacts"),
            components=[component],
            enable_cache=True,
            metadata_connection_config=metadata.sqlite_metadata_connection_config(
                str(work / "metadata.db")
            ),
        )
    )


def _names(result: RunResult) -> set[str]:
    listing = manifest.read(result.uri("PatchExampleGen", "examples"))
    return {entry.name for entries in listing.splits.values() for entry in entries}


@pytest.fixture
def spans(release: Path, tmp_path: Path) -> Path:
    """Two spans; the newer one has two versions, of which the newer lacks a sequence."""
    root = tmp_path / "spans"
    for folder in ("span-1/v1", "span-2/v1", "span-2/v2"):
        shutil.copytree(release, root / folder)
    shutil.rmtree(root / "span-2" / "v2" / "i_b")
    return root


def test_the_newest_version_of_the_newest_span_is_taken(spans: Path, tmp_path: Path):
    result = _run(spans, tmp_path / "work", pattern="span-{SPAN}/v{VERSION}/*/*")
    properties = result.artifact("PatchExampleGen", "examples").custom_properties
    assert properties["span"].int_value == 2 and properties["version"].int_value == 2
    assert "i_b" not in _names(result) and "v_a" in _names(result)


@pytest.mark.parametrize("pattern", ["span-{SPAN}/day-{VERSION}/*/*", "{SPAN}/{SPAN}/*/*"])
def test_a_pattern_without_files_is_the_users_mistake(spans: Path, tmp_path: Path, pattern: str):
    with pytest.raises(UserError, match=r"data\.pattern: .*; expected files below"):
        _run(spans, tmp_path / "work", pattern)


def test_a_new_span_is_taken_by_the_next_run(spans: Path, release: Path, tmp_path: Path):
    pattern = "span-{SPAN}/v{VERSION}/*/*"
    _run(spans, tmp_path / "work", pattern)
    assert _run(spans, tmp_path / "work", pattern).states == {"PatchExampleGen": "cached"}
    shutil.copytree(release, spans / "span-3" / "v1")
    third = _run(spans, tmp_path / "work", pattern)
    assert third.states == {"PatchExampleGen": "finished"} and "i_b" in _names(third)


def test_a_data_folder_whose_name_looks_like_a_pattern_is_read(release: Path, tmp_path: Path):
    data = release.rename(tmp_path / "patches [2024]*")
    assert "v_a" in _names(_run(data, tmp_path / "work"))


def test_an_edited_table_of_scenes_runs_it_again(release: Path, tmp_path: Path):
    _run(release, tmp_path / "work")
    assert _run(release, tmp_path / "work").states == {"PatchExampleGen": "cached"}
    (release / "scenes.csv").write_text("name,scene\nv_a,hall\nv_c,hall\nv_e,hall\n")
    assert _run(release, tmp_path / "work").states == {"PatchExampleGen": "finished"}


def test_a_renamed_sequence_runs_it_again(release: Path, tmp_path: Path):
    _run(release, tmp_path / "work")
    (release / "v_g").rename(release / "v_z")
    again = _run(release, tmp_path / "work")
    assert again.states == {"PatchExampleGen": "finished"} and "v_z" in _names(again)
