import numpy as np
import pytest

from components.serving_validator import sample
from trainer.data import manifest, records


def read(folder):
    patches = np.load(folder / sample.PATCHES_FILE)
    return patches, list(records.read_shard(str(folder / sample.RECORDS_FILE)))


@pytest.fixture
def examples(tmp_path):
    """An examples folder: two evaluation shards of two points each."""
    import tensorflow as tf

    generator = np.random.default_rng([1])
    shards = [f"Split-eval/part-{k}" for k in range(2)]
    (tmp_path / "Split-eval").mkdir()
    for number, shard in enumerate(shards):
        with tf.io.TFRecordWriter(str(tmp_path / shard)) as writer:
            for index in range(2):
                patches = generator.integers(0, 256, records.PATCH_SHAPE, np.uint8)
                name = f"v_{number}"
                writer.write(records.encode(records.PointPatches(name, name, "v", index, patches)))
    entries = tuple(
        manifest.SequenceEntry(
            name=f"v_{k}", scene=f"v_{k}", kind="v", count=2, shards=(shards[k],), checksum="a"
        )
        for k in range(2)
    )
    manifest.write(manifest.Manifest(splits={"eval": entries}), str(tmp_path))
    return tmp_path


def test_real_patches_come_from_the_evaluation_split(examples, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    sample.write(str(examples), str(folder), 3)
    patches, sequences = read(folder)
    assert [(s.sequence, s.index) for s in sequences] == [("v_0", 0), ("v_0", 1), ("v_1", 0)]
    assert patches.shape == (3, 16, 65, 65)
    np.testing.assert_array_equal(patches, np.stack([s.patches for s in sequences]))


def test_fewer_patches_than_asked_for_are_enough(examples, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    sample.write(str(examples), str(folder), 100)
    assert read(folder)[0].shape == (4, 16, 65, 65)


def test_without_examples_the_patches_are_the_same_noise_each_time(tmp_path):
    samples = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        sample.write(None, str(tmp_path / name), 2)
        samples.append(read(tmp_path / name)[0])
    np.testing.assert_array_equal(*samples)
    assert samples[0].std() > 50
