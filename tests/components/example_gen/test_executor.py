import json
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from components.example_gen import executor, shards
from components.example_gen.formats import images
from components.example_gen.formats.base import SequenceInput
from components.example_gen.settings import DataSettings, SplitSettings
from tests.components.example_gen.conftest import NAMES, POINTS
from tests.components.example_gen.executor_runs import run
from tests.support.pictures import texture
from trainer.core.errors import UserError
from trainer.core.variants import SPLITS
from trainer.data import manifest, records


def _contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_one_record_per_patch_sequence_in_whole_shards(release: Path, tmp_path: Path):
    root = run(release, tmp_path / "out")
    listing = manifest.read(str(root))
    entries = [entry for split in listing.splits.values() for entry in split]
    assert sorted(entry.name for entry in entries) == sorted(NAMES)
    for entry in entries:
        (shard,) = entry.shards
        read = list(records.read_shard(str(root / shard)))
        assert [(record.sequence, record.index) for record in read] == [
            (entry.name, index) for index in range(POINTS)
        ]
        first = images.read_strip(str(release / entry.name / "e2.png"))[1]
        np.testing.assert_array_equal(read[1].patches[2], first)


def test_splits_never_share_a_scene(release: Path, tmp_path: Path):
    listing = manifest.read(str(run(release, tmp_path / "out")))
    split_of: dict[str, set[str]] = {}
    for split, entries in listing.splits.items():
        for entry in entries:
            split_of.setdefault(entry.scene, set()).add(split)
    assert set(split_of) == {"hall", *NAMES} - {"v_a", "v_c"}
    assert all(len(splits) == 1 for splits in split_of.values())


def test_copies_stay_on_one_side_of_the_split(release: Path, tmp_path: Path):
    for name in NAMES:
        shutil.copytree(release / name, release / f"{name}_copy")
    listing = manifest.read(str(run(release, tmp_path / "out")))
    sides = {entry.name: split for split, entries in listing.splits.items() for entry in entries}
    assert len(sides) == 2 * len(NAMES)
    assert all(sides[name] == sides[f"{name}_copy"] for name in NAMES)
    assert "copies of one picture count as one scene" in listing.remarks[0]


def test_too_few_scenes_because_of_copies_are_told_with_the_copies(release: Path, tmp_path: Path):
    for name in NAMES[1:]:
        shutil.rmtree(release / name)
    shutil.copytree(release / "v_a", release / "v_b")
    with pytest.raises(UserError, match=r"at least one; .*; copies of .*v_a/ref\.png = v_b/ref"):
        run(release, tmp_path / "out")


def test_the_same_data_and_seed_give_the_same_bytes(release: Path, tmp_path: Path):
    assert _contents(run(release, tmp_path / "one")) == _contents(run(release, tmp_path / "two"))


def test_a_long_sequence_is_cut_into_numbered_shards(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shards, "RECORDS_PER_SHARD", 2)
    root = run(release, tmp_path / "out")
    for split in SPLITS:
        for entry in manifest.read(str(root)).splits[split]:
            assert entry.shards == tuple(
                f"Split-{split}/{entry.name}-0000{number}-of-00002" for number in (0, 1)
            )
            counts = [len(list(records.read_shard(str(root / shard)))) for shard in entry.shards]
            assert counts == [2, 1]


def test_bad_sequences_can_be_skipped_and_are_listed(release: Path, tmp_path: Path):
    strip = release / "i_b" / "h3.png"
    strip.write_bytes(strip.read_bytes()[:200])
    with pytest.raises(UserError, match=r"h3\.png") as told:
        run(release, tmp_path / "none")
    assert "\n" not in str(told.value) and "while running" not in str(told.value)
    (release / "v_e" / "t5.png").unlink()
    listing = manifest.read(str(run(release, tmp_path / "out", skip_bad_sequences=True)))
    assert [item.name for item in listing.skipped] == ["i_b", "v_e"]
    assert "h3.png" in listing.skipped[0].reason and "t5.png" in listing.skipped[1].reason
    kept = {entry.name for split in listing.splits.values() for entry in split}
    assert kept == set(NAMES) - {"i_b", "v_e"}
    lists = tmp_path / "splits.json"
    lists.write_text(json.dumps({"train": ["v_a", "i_d"], "test": ["v_e"]}))
    split = SplitSettings(rule="file", file=str(lists))
    with pytest.raises(UserError, match="'eval' has no image sequence left"):
        run(release, tmp_path / "empty", skip_bad_sequences=True, split=split)


def test_the_folder_of_a_span_is_read(release: Path, tmp_path: Path):
    shutil.move(str(release), str(tmp_path / "spans" / "span-2" / "v1"))
    listing = manifest.read(str(run(tmp_path / "spans", tmp_path / "out", pattern="span-2/v1/*/*")))
    assert listing.count("train") > 0


def test_a_full_disk_is_told_and_leaves_no_half_shard(release: Path, tmp_path: Path):
    """Writes into a file system that is smaller than the shards."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small file system here: {mounted.stderr.decode().strip()}")
    try:
        with pytest.raises(UserError, match=r"cannot be written .*space left"):
            run(release, disk / "out")
        assert not list(disk.rglob("_tmp-*"))
        assert not (disk / "out" / manifest.FILE_NAME).exists()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_write_that_fails_is_told_and_leaves_no_half_shard(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import tensorflow as tf

    class FullDisk(tf.io.TFRecordWriter):
        def write(self, record):
            raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(tf.io, "TFRecordWriter", FullDisk)
    with pytest.raises(UserError, match="No space left on device"):
        run(release, tmp_path / "out", skip_bad_sequences=True)
    assert not list((tmp_path / "out").rglob("_tmp-*"))


def test_photographs_are_made_at_more_sizes_where_they_are_trained_on_alone(tmp_path: Path):
    (tmp_path / "data").mkdir()
    for name in ("a", "b", "c", "d"):
        cv2.imwrite(str(tmp_path / "data" / f"{name}.png"), texture(200, 160, seed=ord(name)))
    root = run(tmp_path / "data", tmp_path / "out", format="photos", max_points=5)
    listing = manifest.read(str(root))
    names = {split: {entry.name for entry in listing.splits[split]} for split in SPLITS}
    trained = {name for name in names["train"] if not name.endswith("_2x")}
    assert names["train"] == trained | {f"{name}_2x" for name in trained}
    assert not any(name.endswith("_2x") for name in names["val"] | names["eval"])
    scenes = {entry.name: entry.scene for entry in listing.splits["train"]}
    assert all(scenes[name] == scenes[f"{name}_2x"] for name in trained)


def test_a_photograph_of_a_name_that_training_makes_is_refused():
    items = [SequenceInput(f"v_{n}", n, "v", "photos", (f"{n}.png",)) for n in ("a", "a_2x", "b")]
    assigned = {"v_a": "train", "v_a_2x": "train", "v_b": "eval"}
    with pytest.raises(UserError, match=r"a(_2x)?\.png: its image sequence v_a_2x .* rename"):
        executor._work(items, assigned, DataSettings())
