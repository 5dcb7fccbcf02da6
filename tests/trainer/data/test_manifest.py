"""The manifest beside the shards."""

import pytest

from trainer.core.errors import UserError
from trainer.data import manifest


def _entry(name: str, count: int = 3, checksum: str = "c") -> manifest.SequenceEntry:
    shards = (f"Split-train/{name}-0", f"Split-train/{name}-1")
    return manifest.SequenceEntry(
        name=name, scene=name[2:], kind=name[0], count=count, shards=shards, checksum=checksum
    )


def _manifest(*names: str) -> manifest.Manifest:
    return manifest.Manifest(splits={"train": tuple(_entry(name) for name in names), "val": ()})


def test_read_gives_back_what_was_written(tmp_path):
    written = _manifest("i_a", "v_b")
    path = manifest.write(written, str(tmp_path))
    assert path.endswith("manifest.json")
    assert manifest.read(str(tmp_path)) == written
    assert [file.name for file in tmp_path.iterdir()] == ["manifest.json"]


def test_counts_and_paths_follow_the_entries():
    listing = _manifest("i_a", "v_b")
    assert listing.count("train") == 6
    assert listing.count("val") == listing.count("eval") == 0
    assert listing.shard_paths("gs://bucket/x", "train")[:2] == [
        "gs://bucket/x/Split-train/i_a-0",
        "gs://bucket/x/Split-train/i_a-1",
    ]


def test_checksum_depends_on_content_and_split_only():
    base = manifest.Manifest(splits={"train": (_entry("i_a"),)})
    described = base.model_copy(update={"settings": {"seed": 1}})
    changed = manifest.Manifest(splits={"train": (_entry("i_a", checksum="d"),)})
    moved = manifest.Manifest(splits={"eval": (_entry("i_a"),)})
    assert base.checksum == described.checksum
    assert len({base.checksum, changed.checksum, moved.checksum}) == 3


def test_a_folder_without_manifest_is_refused_by_name(tmp_path):
    with pytest.raises(UserError, match=r"manifest\.json: there is no manifest"):
        manifest.read(str(tmp_path))


@pytest.mark.parametrize(
    "text", ["{", '{"splits": {"test": []}}', "[]", '{"version": 2, "splits": {}}']
)
def test_a_broken_manifest_is_refused(tmp_path, text):
    (tmp_path / manifest.FILE_NAME).write_text(text)
    with pytest.raises(UserError, match="not a manifest"):
        manifest.read(str(tmp_path))


def test_a_negative_count_is_refused_with_its_place(tmp_path):
    text = _manifest("i_a", "v_b").model_dump_json().replace('"count":3', '"count":-9', 1)
    (tmp_path / manifest.FILE_NAME).write_text(text)
    with pytest.raises(UserError, match=r"splits\.train\.0\.count: found -9, expected at least 0"):
        manifest.read(str(tmp_path))
