import numpy as np
import pytest
import tensorflow as tf

from components.descriptor_evaluator.descriptors import csv_tree, store
from components.descriptor_evaluator.descriptors.describer import (
    Describer,
    ModelError,
    is_machinery,
)
from components.descriptor_evaluator.descriptors.store import (
    DescribeSequence,
    ReferenceContrast,
    StoredDescriptors,
)
from trainer.core.errors import UserError
from trainer.data import records
from trainer.data.manifest import SequenceEntry

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
                record = records.PointPatches("v_a", "a", "v", index, patches[index])
                writer.write(records.encode(record))
    return SequenceEntry(name="v_a", scene="a", kind="v", count=POINTS, shards=shards, checksum="c")


def test_patches_are_read_over_the_shards_in_order(tmp_path, entry, patches):
    assert (store.read_patches(str(tmp_path), entry) == patches).all()
    assert (store.read_patches(str(tmp_path), entry, most=2) == patches[:2]).all()
    assert (store.read_patches(str(tmp_path), entry, most=99) == patches).all()


@pytest.mark.parametrize("count", [4, 6])
def test_another_number_of_patches_than_the_manifest_says_is_refused(tmp_path, entry, count):
    wrong = entry.model_copy(update={"count": count})
    with pytest.raises(UserError, match=f"hold 5 records, the manifest says {count}"):
        store.read_patches(str(tmp_path), wrong)


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
    opened = store.open_described(folder, "pixels", [entry])
    np.testing.assert_array_equal(opened["v_a"], stored["v_a"])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            np.zeros((POINTS, 16, 8), np.float32),
            r"shape \(5, 16, 8\), expected \(16, 5, dimension\)",
        ),
        (ValueError("no such layer"), r"cannot describe v_a \(ValueError: no such layer\)"),
        (UserError("m: has no signature"), "cannot be used: m: has no signature"),
    ],
)
def test_what_a_model_cannot_do_is_kept_as_a_sentence(tmp_path, entry, monkeypatch, answer, words):
    def describe(sequence, patches):
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(Describer, "load", lambda self: describe)
    folder = str(tmp_path / "store")
    list(DescribeSequence(str(tmp_path), [Describer("candidate", "m")], folder, 1).process(entry))
    with pytest.raises(ModelError, match=words):
        store.open_described(folder, "candidate", [entry])


def test_descriptors_of_a_csv_tree_are_taken_as_they_are(tmp_path, entry):
    given = np.random.default_rng(0).normal(size=(16, POINTS, 6)).astype(np.float32)
    csv_tree.write_sequence(str(tmp_path / "csv"), "v_a", given)
    paper = Describer("paper", descriptors=str(tmp_path / "csv"), judged=False)
    folder = str(tmp_path / "store")
    list(DescribeSequence(str(tmp_path), [paper], folder, 1).process(entry))
    np.testing.assert_allclose(StoredDescriptors(f"{folder}/paper", ["v_a"])["v_a"], given)


def test_a_reference_that_cannot_be_used_is_the_users_to_mend(tmp_path, entry):
    given = np.zeros((16, POINTS + 1, 6), np.float32)
    csv_tree.write_sequence(str(tmp_path / "csv"), "v_a", given)
    paper = Describer("paper", descriptors=str(tmp_path / "csv"), judged=False)
    work = DescribeSequence(str(tmp_path), [paper], str(tmp_path / "store"), 1)
    words = r"evaluation\.references\.paper: .*ref\.csv: holds 6 descriptors, expected 5"
    with pytest.raises(UserError, match=words):
        list(work.process(entry))


@pytest.mark.parametrize("error", [ValueError("no such layer"), UserError("m: is damaged")])
def test_any_failure_of_a_reference_names_its_key(tmp_path, entry, monkeypatch, error):
    monkeypatch.setattr(Describer, "load", lambda self: failing(error))
    given = [Describer("theirs", model="m", judged=False)]
    with pytest.raises(UserError, match=rf"^evaluation\.references\.theirs: .*{error}"):
        list(DescribeSequence(str(tmp_path), given, str(tmp_path / "store"), 1).process(entry))


def failing(error):
    def describe(sequence, patches):
        raise error

    return describe


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        MemoryError(),
        tf.errors.ResourceExhaustedError(None, None, "out of memory"),
        tf.errors.UnavailableError(None, None, "try again"),
    ],
)
def test_a_failing_machine_is_no_finding_about_the_model(tmp_path, entry, monkeypatch, error):
    monkeypatch.setattr(Describer, "load", lambda self: failing(error))
    folder = tmp_path / "store"
    with pytest.raises(type(error)):
        list(DescribeSequence(str(tmp_path), [Describer("c", "m")], str(folder), 1).process(entry))
    assert not list(folder.rglob("*.failed"))
    assert is_machinery(error)
    if not isinstance(error, OSError):  # as from another process
        assert is_machinery(RuntimeError(f"{type(error).__name__}: {error}"))


def test_an_attempt_that_succeeds_takes_back_the_failure_before_it(tmp_path, entry, monkeypatch):
    folder = str(tmp_path / "store")
    for load in (failing(ValueError("once")), lambda sequence, p: np.zeros((16, POINTS, 2))):
        monkeypatch.setattr(Describer, "load", lambda self, load=load: load)
        list(DescribeSequence(str(tmp_path), [Describer("c", "m")], folder, 1).process(entry))
    assert store.open_described(folder, "c", [entry])["v_a"].shape == (16, POINTS, 2)
    assert not (tmp_path / "store" / "c" / "v_a.failed").exists()


def test_a_reference_of_two_dimensions_is_refused_by_its_key(tmp_path):
    for name, length in (("v_a", 3), ("v_b", 5)):
        np.save(tmp_path / f"{name}.npy", np.zeros((16, 1, length), np.float32))
    stored = StoredDescriptors(str(tmp_path), ["v_a", "v_b"])
    words = r"references\.paper: descriptors of v_b have 5 numbers, expected 3 as in v_a"
    with pytest.raises(UserError, match=words):
        store.check_dimensions("paper", stored)
    store.check_dimensions("paper", StoredDescriptors(str(tmp_path), ["v_a"]))


def test_the_contrast_is_that_of_the_reference_patches(tmp_path, entry, patches):
    folder = str(tmp_path / "contrast")
    list(ReferenceContrast(str(tmp_path), folder, 1).process(entry))
    contrast = store.read_array(f"{folder}/v_a.npy")
    assert contrast == pytest.approx(patches[:, 0].std(axis=(1, 2)), rel=1e-5)
