import cv2
import numpy as np
import pytest

from components.example_gen.formats import content, photographs, reading, sequences
from components.example_gen.formats.base import SequenceInput
from components.example_gen.settings import DataSettings
from tests.components.example_gen.executor_runs import run
from tests.support.pictures import texture, write_sequence
from trainer.core.errors import UserError
from trainer.core.variants import variant_index
from trainer.data import manifest


def patches(count=4):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, 16, 65, 65), dtype=np.uint8)


@pytest.mark.parametrize(("deviation", "kept"), [(4.9, False), (5.0, True)])
def test_a_point_goes_with_any_of_its_16_patches(deviation, kept):
    given = patches()
    half = np.arange(64 * 64).reshape(64, 64) % 2  # a checkerboard deviates by half its range
    grey = np.where(half, 100.0 + deviation, 100.0 - deviation)
    given = given[:, :, :64, :64].astype(np.float32)
    given[2, 7] = grey
    chosen, remarks = content.choose("v_x", given)
    assert chosen.tolist() == [True, True, kept, True]
    assert remarks == ()


def test_a_target_that_loses_most_points_is_named():
    given = patches()
    given[:3, variant_index("h", 4)] = 90
    chosen, remarks = content.choose("i_x", given)
    assert chosen.tolist() == [False, False, False, True]
    assert remarks == (
        "i_x: image 5 is nearly one grey at 3 of 4 points, which are left out for it",
    )
    given[1, 0] = 90  # the reference is grey there itself
    assert content.choose("i_x", given)[1] == ()


def test_a_sequence_without_content_is_refused():
    given = patches()
    given[:, variant_index("t", 1)] = 90
    with pytest.raises(UserError, match=r"image 2 is nearly one grey at 4 of 4 .*no point is left"):
        content.choose("i_x", given)
    given = patches(2)
    given[0, 3] = given[1, 9] = 90
    with pytest.raises(UserError, match="of all 2 points are nearly one grey; no point"):
        content.choose("v_x", given)


def test_a_nearly_grey_image_of_a_sequence_loses_its_flat_points():
    reference = texture(300, 240)
    half_grey = reference.copy()
    half_grey[:, :200] = 100
    item = SequenceInput("i_x", "i_x", "i", "sequences", ())
    settings = DataSettings(max_points=None)
    targets = [reference] * 4 + [half_grey]
    whole = sequences.cut(item, [reference] * 6, [np.eye(3)] * 5, settings)
    cut = sequences.cut(item, [reference, *targets], [np.eye(3)] * 5, settings)
    assert cut.statistics["cut"] == len(cut) == len(cut.patches)
    assert cut.statistics["cut"] + cut.statistics["without_content"] == len(whole)
    assert cut.patches.reshape(len(cut), 16, -1).std(axis=2).min() >= 5
    assert {tuple(point) for point in cut.positions} < {tuple(point) for point in whole.positions}
    assert whole.statistics["without_content"] == 0
    assert "i_x: image 6 is nearly one grey" in cut.remarks[0]


def test_what_is_left_out_is_counted_in_the_manifest(tmp_path):
    for number in range(4):
        folder = write_sequence(tmp_path / "data" / f"i_{number}", "png", seed=number)
    target = cv2.imread(str(folder / "4.png"), cv2.IMREAD_GRAYSCALE)
    target[:, :130] = 100
    cv2.imwrite(str(folder / "4.png"), target)
    root = run(tmp_path / "data", tmp_path / "out", format="sequences", max_points=20)
    listing = manifest.read(str(root))
    left_out = {
        entry.name: entry.without_content for split in listing.splits.values() for entry in split
    }
    assert left_out["i_0"] == left_out["i_1"] == left_out["i_2"] == 0 < left_out["i_3"]
    assert listing.remarks == (
        f"i_3: image 4 is nearly one grey at {left_out['i_3']} of 20 points, which are left out "
        f"for it",
    )


def test_images_that_were_made_of_a_photograph_are_not_warned_of(shared):
    inputs, _ = reading.list_sequences("photos", str(shared / "scene" / "images"), DataSettings())
    settings = DataSettings(max_points=60)
    loaded = [photographs.load(item, settings) for item in inputs[:3]]
    assert all(patch_set.remarks == () for patch_set in loaded)
    assert min(patch_set.patches.reshape(-1, 65 * 65).std(1).min() for patch_set in loaded) >= 5
