import numpy as np
import pytest
import tensorflow as tf

from components.descriptor_evaluator import descriptor_files, descriptor_store
from components.descriptor_evaluator.descriptor_store import (
    Describer,
    DescribeSequence,
    ModelError,
    ReferenceContrast,
    StoredDescriptors,
)
from trainer import records
from trainer.errors import UserError
from trainer.manifest import SequenceEntry

POINTS = 5


@pytest.fixture
def patches():
    return np.random.default_rng(0).integers(0, 255, (POINTS, *records.PATCH_SHAPE), np.uint8)


@pytest.fixture
def entry(tmp_path, patches):
    """Writes one image sequence in two shards."""
    shards = ("a-0", "a-1")
    for shard, part in zip(shards, (range(3), range(3, POINTS)), strict=True):
        with tf.io.TFRecordWriter(str(tmp_path / shard)) as writer:
            for index in part:
                record = records.PatchSequence("v_a", "a", "v", index, patches[index])
                writer.write(records.encode(record))
    return SequenceEntry(
        name="v_a", source="a", kind="v", count=POINTS, shards=shards, checksum="c"
    )


def test_patches_are_read_over_the_shards_in_order(tmp_path, entry, patches):
    assert (descriptor_store.read_patches(str(tmp_path), entry) == patches).all()
    assert (descriptor_store.read_patches(str(tmp_path), entry, most=2) == patches[:2]).all()
    assert (descriptor_store.read_patches(str(tmp_path), entry, most=99) == patches).all()


@pytest.mark.parametrize("count", [4, 6])
def test_another_number_of_patches_than_the_manifest_says_is_refused(tmp_path, entry, count):
    wrong = entry.model_copy(update={"count": count})
    with pytest.raises(UserError, match=f"hold 5 records, the manifest says {count}"):
        descriptor_store.read_patches(str(tmp_path), wrong)


def test_descriptors_are_written_per_sequence(tmp_path, entry, patches):
    folder = str(tmp_path / "store")
    work = DescribeSequence(
        str(tmp_path), [Describer("pixels", baseline="pixels")], folder, total=1
    )
    assert list(work.process(entry)) == []
    stored = StoredDescriptors(f"{folder}/pixels", ["v_a"])
    assert list(stored) == ["v_a"] and len(stored) == 1
    assert stored["v_a"].shape == (16, POINTS, 64)
    # Variant-major: the descriptor of patch 3 in image h2 (variant 7).
    alone = Describer("pixels", baseline="pixels").load()("v_a", patches[3:4])
    assert stored["v_a"][7, 3] == pytest.approx(alone[7, 0], abs=1e-5)
    with pytest.raises(KeyError):
        stored["v_b"]
    paths = descriptor_store.described_paths(folder, "pixels", [entry])
    assert paths == [("v_a", f"{folder}/pixels/v_a.npy")]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            np.zeros((POINTS, 16, 8), np.float32),
            r"shape \(5, 16, 8\), expected \(16, 5, dimension\)",
        ),
        (ValueError("no such layer"), r"cannot describe v_a \(ValueError: no such layer\)"),
        (UserError("m: has no signature"), "cannot be used: m: has no signature"),
    ],
)
def test_what_a_model_cannot_do_is_kept_as_a_sentence(tmp_path, entry, monkeypatch, found, words):
    def describe(sequence, patches):
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(Describer, "load", lambda self: describe)
    folder = str(tmp_path / "store")
    list(DescribeSequence(str(tmp_path), [Describer("candidate")], folder, 1).process(entry))
    with pytest.raises(ModelError, match=words):
        descriptor_store.described_paths(folder, "candidate", [entry])


def test_descriptors_of_a_csv_tree_are_taken_as_they_are(tmp_path, entry):
    given = np.random.default_rng(0).normal(size=(16, POINTS, 6)).astype(np.float32)
    descriptor_files.write_sequence(str(tmp_path / "csv"), "v_a", given)
    paper = Describer("paper", descriptors=str(tmp_path / "csv"), judged=False)
    folder = str(tmp_path / "store")
    list(DescribeSequence(str(tmp_path), [paper], folder, 1).process(entry))
    np.testing.assert_allclose(StoredDescriptors(f"{folder}/paper", ["v_a"])["v_a"], given)


def test_a_reference_that_cannot_be_used_is_the_users_to_mend(tmp_path, entry):
    given = np.zeros((16, POINTS + 1, 6), np.float32)
    descriptor_files.write_sequence(str(tmp_path / "csv"), "v_a", given)
    paper = Describer("paper", descriptors=str(tmp_path / "csv"), judged=False)
    work = DescribeSequence(str(tmp_path), [paper], str(tmp_path / "store"), 1)
    with pytest.raises(UserError, match=r"ref\.csv: holds 6 descriptors, expected 5"):
        list(work.process(entry))


def test_the_contrast_is_that_of_the_reference_patches(tmp_path, entry, patches):
    folder = str(tmp_path / "contrast")
    list(ReferenceContrast(str(tmp_path), folder, 1).process(entry))
    found = descriptor_store.read_array(f"{folder}/v_a.npy")
    assert found == pytest.approx(patches[:, 0].std(axis=(1, 2)), rel=1e-5)
