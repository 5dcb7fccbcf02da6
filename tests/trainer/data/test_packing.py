"""Packing shards into memory-mapped patches."""

import dataclasses
import os
import platform
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.support.synthetic import point_patches, write_examples
from trainer.core.errors import UserError
from trainer.core.progress import Progress, listen
from trainer.core.variants import SplitName
from trainer.data import image, manifest, packing, records

_SPLITS = {
    "train": {"i_a": ("a", 3), "v_a": ("a", 2), "v_b": ("b", 2)},
    "val": {"v_c": ("c", 2)},
}


@pytest.fixture
def examples(tmp_path) -> Path:
    write_examples(tmp_path / "examples", _SPLITS)
    return tmp_path / "examples"


def _pack(examples: Path, split: SplitName = "train", graph: str | None = None):
    return packing.pack(str(examples), split, graph, str(examples.parent / "packed"))


def _resized(sequence: str, scene: str, index: int) -> np.ndarray:
    return image.resize_area(tf.constant(point_patches(sequence, scene, index))).numpy()


def test_patches_are_ordered_by_sequence_and_index(examples):
    packed = _pack(examples)
    assert packed.patches.shape == (7, 16, 32, 32)
    assert packed.patches.dtype == np.uint8
    assert packed.sequences == ("i_a", "v_a", "v_b")
    assert packed.scenes == ("a", "b")
    assert packed.kinds == ("i", "v", "v")
    assert packed.sequence.tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert packed.scene.tolist() == [0, 0, 0, 0, 0, 1, 1]
    assert packed.index.tolist() == [0, 1, 2, 0, 1, 0, 1]
    np.testing.assert_array_equal(packed.patches[2], _resized("i_a", "a", 2))
    np.testing.assert_array_equal(packed.patches[6], _resized("v_b", "b", 1))


def test_each_split_is_packed_apart(examples):
    assert len(_pack(examples, "val")) == 2
    assert len(_pack(examples, "eval")) == 0


def test_the_array_is_mapped_and_packed_only_once(examples):
    heard: list[Progress] = []
    with listen(heard.append):
        first = _pack(examples)
    assert isinstance(first.patches, np.memmap)
    assert heard[-1].done == heard[-1].total == 7
    with listen(heard.append):
        second = _pack(examples)
    assert heard[-1].label == "packing train patches"
    assert len(heard) == 3  # one report per shard, none the second time
    np.testing.assert_array_equal(first.patches, second.patches)


def test_taking_copies_the_variants_of_points(examples):
    packed = _pack(examples)
    taken = packed.take(np.array([4, 1]), np.array([[0, 15, 3], [2, 1, 0]]))
    assert taken.shape == (6, 32, 32)
    np.testing.assert_array_equal(taken[1], packed.patches[4, 15])
    np.testing.assert_array_equal(taken[3], packed.patches[1, 2])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux' /proc")
def test_what_was_read_does_not_stay_in_the_process(examples, tmp_path):
    data = np.random.default_rng(0).integers(0, 256, (2048, 16, 32, 32), dtype=np.uint8)
    np.save(tmp_path / "patches.npy", data)
    mapped = np.load(tmp_path / "patches.npy", mmap_mode="r")
    packed = dataclasses.replace(_pack(examples), patches=mapped)
    before = _mapped_megabytes()
    for start in range(0, 2048, 64):
        points = np.arange(start, start + 64)
        taken = packed.take(points, np.tile(np.arange(16), (64, 1)))
        np.testing.assert_array_equal(taken, data[points].reshape(-1, 32, 32))
    packed.pixel_statistics()
    assert _mapped_megabytes() - before < 8  # of 32


def test_views_and_maps_of_deleted_files_are_read_too(examples):
    packed = _pack(examples)
    whole = np.array(packed.patches)
    later = dataclasses.replace(packed, patches=packed.patches[2:])
    np.testing.assert_array_equal(later.take_all(np.array([3, 0])), whole[[5, 2]])
    Path(packed.patches.filename).unlink()
    np.testing.assert_array_equal(packed.take_all(np.array([3, 0])), whole[[3, 0]])


def _mapped_megabytes() -> float:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("RssFile")) / 1024


def test_other_data_is_packed_anew(examples, tmp_path):
    _pack(examples)
    write_examples(examples, {"train": {"i_z": ("z", 4)}})
    assert _pack(examples).sequences == ("i_z",)


def test_what_dead_processes_left_is_deleted_and_what_living_ones_write_is_not(examples, tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    _pack(examples)
    (folder,) = (tmp_path / "packed").iterdir()
    host = platform.node()
    kept = [f"{host}-{os.getppid()}", str(os.getppid()), f"else-{dead.pid}", "mine", f"{dead.pid}x"]
    for name in (*kept, f"{host}-{dead.pid}", str(dead.pid)):
        (tmp_path / "packed" / f"{folder.name}.tmp-{name}").mkdir()
    (tmp_path / "packed" / f"val-0.tmp-{dead.pid}").mkdir()  # of other data: not asked for
    _pack(examples)
    names = {path.name for path in (tmp_path / "packed").iterdir()}
    expected = {f"{folder.name}.tmp-{name}" for name in kept}
    assert names == expected | {folder.name, f"val-0.tmp-{dead.pid}"}


@pytest.mark.parametrize("damage", ["short", "empty", "gone", "another kind", "another shape"])
def test_damaged_packed_patches_are_packed_again(examples, tmp_path, caplog, damage):
    before = np.array(_pack(examples).patches)
    (file,) = (tmp_path / "packed").glob("*/patches.npy")
    if damage == "gone":
        file.unlink()
    elif damage == "another shape":
        np.save(file, before[1:])
    else:
        content = {"short": file.read_bytes()[:-1], "empty": b"", "another kind": b"PK\3\4"}
        file.write_bytes(content[damage])
    np.testing.assert_array_equal(_pack(examples).patches, before)
    assert f"{file} is damaged" in caplog.text
    assert list((tmp_path / "packed").iterdir()) == [file.parent]


def test_packed_patches_that_must_not_be_read_are_named(examples, tmp_path, monkeypatch):
    _pack(examples)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(np.lib.format, "open_memmap", refuse)
    with pytest.raises(UserError, match=r"patches.npy: cannot be read .*delete it"):
        _pack(examples)


def test_an_image_sequence_without_shards_is_named(examples):
    listing = manifest.read(str(examples))
    first, *others = listing.splits["train"]
    entries = (first.model_copy(update={"shards": ()}), *others)
    manifest.write(listing.model_copy(update={"splits": {"train": entries}}), str(examples))
    with pytest.raises(UserError, match=r"manifest.json: lists no shard of i_a, whose count \(3\)"):
        _pack(examples)


_SHARD = "v_b-00000-of-00001"


def _record(sequence: str, index: int) -> bytes:
    patches = point_patches(sequence, "b", index)
    return records.encode(records.PointPatches(sequence, "b", "v", index, patches))


def _without_contrast(record: bytes) -> bytes:
    example = tf.train.Example.FromString(record)
    del example.features.feature["contrast"]
    return example.SerializeToString()


def _write_shard(examples: Path, *serialized: bytes) -> None:
    with tf.io.TFRecordWriter(str(examples / "Split-train" / _SHARD)) as writer:
        for record in serialized:
            writer.write(record)


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ([_record("v_b", 0), b"no example"], "{shard}: record 1 cannot be read"),
        (
            [_record("v_b", 0), _without_contrast(_record("v_b", 1))],
            "{shard}: record 1 cannot be read.*contrast",
        ),
        # Another order, and one too few.
        (
            [_record("v_b", 1), _record("v_b", 0)],
            "not the 2 that the manifest lists.*their checksum differs",
        ),
        ([_record("v_b", 0)], "not the 2 that.*1 were found"),
        (
            [_record("v_b", 0), _record("v_x", 0)],
            r"{shard}: record 1 is of v_x \(scene b\), expected v_b \(scene b\)",
        ),
    ],
)
def test_records_that_are_not_those_of_the_manifest_are_refused(examples, written, sentence):
    _write_shard(examples, *written)
    with pytest.raises(UserError, match=sentence.format(shard=_SHARD)):
        _pack(examples)
    assert list((examples.parent / "packed").iterdir()) == []  # nothing half packed stays


def test_a_truncated_or_missing_shard_is_named(examples):
    shard = examples / "Split-train" / _SHARD
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(UserError, match=f"{_SHARD}: record 1 cannot be read"):
        _pack(examples)
    shard.unlink()
    with pytest.raises(UserError, match=f"{_SHARD}: there is no such shard"):
        _pack(examples)


def test_records_with_too_few_variants_are_named(examples):
    example = tf.train.Example.FromString(_record("v_b", 0))
    pixels = example.features.feature["patches"].bytes_list
    pixels.value[0] = pixels.value[0][: 15 * 65 * 65]
    _write_shard(examples, *[example.SerializeToString()] * 16)  # as many bytes as 15 whole ones
    entry = manifest.read(str(examples)).splits["train"][2].model_copy(update={"count": 16})
    manifest.write(manifest.Manifest(splits={"train": (entry,)}), str(examples))
    with pytest.raises(UserError, match=rf"{_SHARD}: record 0 .* 15 patches of 65 x 65, expected"):
        _pack(examples)


def test_sequences_may_have_several_shards(examples):
    listing = manifest.read(str(examples))
    entry = listing.splits["train"][0]
    whole = list(records.read_shard(str(examples / entry.shards[0])))
    names = ("Split-train/part-0", "Split-train/part-1")
    for name, part in zip(names, (whole[:2], whole[2:]), strict=True):
        with tf.io.TFRecordWriter(str(examples / name)) as writer:
            for record in part:
                writer.write(records.encode(record))
    entries = (entry.model_copy(update={"shards": names}), *listing.splits["train"][1:])
    manifest.write(listing.model_copy(update={"splits": {"train": entries}}), str(examples))
    np.testing.assert_array_equal(_pack(examples).patches[2], _resized("i_a", "a", 2))


def test_a_missing_graph_is_named(examples, tmp_path):
    _pack(examples)  # must not be taken for the same
    with pytest.raises(UserError, match="nowhere/transform_fn"):
        _pack(examples, graph=str(tmp_path / "nowhere"))


def test_places_that_cannot_hold_packed_patches_are_named(examples, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="packing the train patches failed"):
        packing.pack(str(examples), "train", None, str(tmp_path / "file"))
    with pytest.raises(UserError, match="gs://bucket/x: packed patches are memory-mapped"):
        packing.pack(str(examples), "train", None, "gs://bucket/x")


def test_a_full_disk_ends_in_one_sentence_and_leaves_nothing(examples, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", full)
    with pytest.raises(UserError, match="No space left"):
        _pack(examples)
    assert list((examples.parent / "packed").iterdir()) == []


def test_pixel_statistics_are_those_of_all_pixels(examples):
    packed = _pack(examples)
    mean, deviation = packed.pixel_statistics()
    assert mean == pytest.approx(packed.patches.mean(dtype=np.float64))
    assert deviation == pytest.approx(packed.patches.std(dtype=np.float64))
    flat = dataclasses.replace(packed, patches=np.full((1, 16, 32, 32), 7, np.uint8))
    assert flat.pixel_statistics()[1] > 0
