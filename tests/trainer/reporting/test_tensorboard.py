"""What is written for TensorBoard can be read back."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing import plugin_event_accumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from tests.support.synthetic import packed
from tests.support.training import small_config
from trainer.core.config import ValidationConfig
from trainer.core.errors import UserError
from trainer.reporting.tensorboard import TensorBoardWriter
from trainer.reporting.validation import ValidationSet


def _read(folder: Path) -> plugin_event_accumulator.EventAccumulator:
    """Reads event files as TensorBoard's server does."""
    accumulator = plugin_event_accumulator.EventAccumulator(str(folder))
    return accumulator.Reload()


def _batch(writer: TensorBoardWriter, step: int = 7, value: float = 1.0) -> None:
    rng = np.random.default_rng(0)
    patches = rng.integers(0, 256, (16, 32, 32), dtype=np.uint8)
    writer.batch(step, patches, value * rng.normal(size=(16, 5)).astype(np.float32), 2)


def _read_batch(folder: Path) -> plugin_event_accumulator.EventAccumulator:
    writer = TensorBoardWriter(str(folder))
    _batch(writer)
    writer.flush()
    return _read(folder)


def test_curves_hold_their_values(tmp_path):
    writer = TensorBoardWriter(str(tmp_path))
    writer.scalars(10, train={"loss": 1.5, "stage": 0.0}, probe={"spread": 0.25})
    writer.scalars(20, train={"loss": 0.5, "stage": 1.0}, probe={"spread": 0.5})
    writer.flush()
    read = _read(tmp_path)
    assert set(read.PluginTagToContent("scalars")) == {"train/loss", "train/stage", "probe/spread"}
    points = [(e.step, tf.make_ndarray(e.tensor_proto).item()) for e in read.Tensors("train/loss")]
    assert points == [(10, 1.5), (20, 0.5)]


def test_the_settings_of_a_run_stand_under_hparams(tmp_path):
    writer = TensorBoardWriter(str(tmp_path))
    writer.settings(small_config(clip_norm=None), "0123abcd")
    writer.flush()
    metadata = _read(tmp_path).SummaryMetadata("_hparams_/session_start_info")
    content = plugin_data_pb2.HParamsPluginData.FromString(metadata.plugin_data.content)
    shown = content.session_start_info
    assert shown.group_name == "0123abcd"
    assert shown.hparams["model.width"].number_value == 0.1
    assert shown.hparams["loss.name"].string_value == "hinge"
    assert shown.hparams["stages"].string_value == "S8 K2 rate 0.01 steps 12"
    assert "clip_norm" not in shown.hparams


def test_the_curves_of_an_earlier_process_are_taken_over(tmp_path):
    earlier = TensorBoardWriter(str(tmp_path / "earlier"))
    earlier.scalars(10, train={"loss": 1.5})
    earlier.flush()
    (tmp_path / "earlier" / "sprite.png").write_text("")
    writer = TensorBoardWriter(str(tmp_path / "logs"))
    for _ in range(2):
        writer.take_over(str(tmp_path / "earlier"))
    writer.take_over(str(tmp_path / "logs" / ".." / "logs"))  # where it writes itself
    writer.take_over(str(tmp_path / "gone"))
    writer.scalars(20, train={"loss": 0.5})
    writer.flush()
    # Files of the same second are read by their names, whose last number is not padded.
    steps = sorted(event.step for event in _read(tmp_path / "logs").Tensors("train/loss"))
    assert steps == [10, 20]
    assert not (tmp_path / "logs" / "sprite.png").exists()


def test_curves_that_cannot_be_taken_over_are_left_out(tmp_path, caplog, monkeypatch):
    TensorBoardWriter(str(tmp_path / "earlier")).flush()
    writer = TensorBoardWriter(str(tmp_path / "logs"))

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tf.io.gfile, "copy", refuse)
    writer.take_over(str(tmp_path / "earlier"))
    assert "earlier: its curves are left out" in caplog.text


def test_histograms_count_every_pair(tmp_path):
    read, counts = _read_batch(tmp_path), {}
    for tag in read.PluginTagToContent("histograms"):
        (event,) = read.Tensors(tag)
        assert event.step == 7
        counts[tag] = tf.make_ndarray(event.tensor_proto)[:, 2].sum()
    assert counts == {
        "distances/positive": 8,
        "distances/negative": 16 * 15 / 2 - 8,
        "distances/hardest_positive": 16,
        "distances/hardest_negative": 16,
    }


def test_the_worst_triplets_are_an_image(tmp_path):
    read = _read_batch(tmp_path)
    assert set(read.PluginTagToContent("images")) == {"triplets/worst"}
    (event,) = read.Tensors("triplets/worst")
    width, height, png = tf.make_ndarray(event.tensor_proto)
    picture = tf.io.decode_png(png)
    # 8 points in two columns of triplets of 126 x 304 pixels.
    assert picture.shape == (4 * 126 + 3 * 12, 2 * 304 + 12, 3)
    assert (int(height), int(width)) == tuple(picture.shape[:2])


def test_broken_descriptors_are_not_shown(tmp_path):
    writer = TensorBoardWriter(str(tmp_path))
    _batch(writer, value=np.nan)
    chosen = ValidationSet.of(packed([3], [0]), ValidationConfig())
    writer.projection(chosen, np.full((48, 4), np.inf, np.float32))
    writer.flush()
    assert _read(tmp_path).Tags()["tensors"] == []
    assert not (tmp_path / "projector_config.pbtxt").exists()


def test_the_projector_is_given_the_descriptors_of_the_validation_set(tmp_path):
    writer = TensorBoardWriter(str(tmp_path))
    chosen = ValidationSet.of(packed([3], [0]), ValidationConfig())
    for factor in (1, 2):
        writer.projection(chosen, factor * np.arange(48, dtype=np.float32)[:, None])
    shown = np.loadtxt(tmp_path / "projector" / "descriptors.tsv").tolist()
    assert shown == [2 * (16 * point + variant) for point in range(3) for variant in (0, 1, 6, 11)]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    writer = TensorBoardWriter(str(tmp_path / "logs"))
    (tmp_path / "logs" / "projector").write_text("a file is in the way")
    chosen = ValidationSet.of(packed([3], [0]), ValidationConfig())
    with pytest.raises(UserError, match=r"logs/projector.*cannot be written"):
        writer.projection(chosen, np.zeros((48, 4), np.float32))
