import numpy as np

from components.serving.serving_validator import sample
from trainer.data import records

SPLITS = {"eval": {"v_0": ("v_0", 2), "v_1": ("v_1", 2)}}


def read(folder):
    patches = np.load(folder / sample.PATCHES_FILE)
    return patches, list(records.read_shard(str(folder / sample.RECORDS_FILE)))


def test_real_patches_come_from_the_evaluation_split(examples, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    sample.write(examples, str(folder), 3)
    patches, sequences = read(folder)
    assert [(s.sequence, s.index) for s in sequences] == [("v_0", 0), ("v_0", 1), ("v_1", 0)]
    assert patches.shape == (3, 16, 65, 65)
    np.testing.assert_array_equal(patches, np.stack([s.patches for s in sequences]))


def test_fewer_patches_than_asked_for_are_enough(examples, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    sample.write(examples, str(folder), 100)
    assert read(folder)[0].shape == (4, 16, 65, 65)


def test_without_examples_the_patches_are_the_same_noise_each_time(tmp_path):
    samples = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        sample.write(None, str(tmp_path / name), 2)
        samples.append(read(tmp_path / name)[0])
    np.testing.assert_array_equal(*samples)
    assert samples[0].std() > 50
