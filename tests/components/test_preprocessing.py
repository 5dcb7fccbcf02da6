"""The Transform step, run by TensorFlow Transform itself on a few records."""

from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform.beam as tft_beam
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.public import tfxio

from components.core.beam_runner import DIRECT_RUNNER
from components.preprocessing import preprocessing_fn
from trainer.data import image, records, resizing

SCHEMA = Path(__file__).parents[2] / "components" / "schema" / "schema.pbtxt"


@pytest.fixture(scope="module")
def some_records() -> list[records.PointPatches]:
    random = np.random.default_rng(5)
    names = [("v_wall", "wall"), ("i_wall", "wall"), ("v_bark", "bark")]
    return [
        records.PointPatches(
            sequence=name,
            scene=scene,
            kind=name[0],
            index=index,
            patches=random.integers(0, 256, records.PATCH_SHAPE, dtype=np.uint8),
        )
        for name, scene in names
        for index in range(4)
    ]


@pytest.fixture(scope="module")
def transform_graph(some_records, tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("transform")
    shard = str(folder / "shard")
    with tf.io.TFRecordWriter(shard) as writer:
        for record in some_records:
            writer.write(records.encode(record))
    schema = text_format.Parse(SCHEMA.read_text(), schema_pb2.Schema())
    reader = tfxio.TFExampleRecord(shard, schema=schema)
    with (
        beam.Pipeline(runner=DIRECT_RUNNER) as pipeline,
        tft_beam.Context(temp_dir=str(folder / "tmp"), force_tf_compat_v1=False),
    ):
        raw = pipeline | reader.BeamSource()
        transform_fn = (raw, reader.TensorAdapterConfig()) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing_fn(inputs, custom_config={})
        )
        _ = transform_fn | tft_beam.WriteTransformFn(str(folder / "graph"))
    return str(folder / "graph")


@pytest.fixture(scope="module")
def transformed(some_records, transform_graph) -> dict[str, np.ndarray]:
    function = tf.saved_model.load(transform_graph + "/transform_fn").transform_fn
    features = tf.io.parse_example(
        [records.encode(record) for record in some_records], records.feature_spec()
    )
    return {name: value.numpy() for name, value in function(features).items()}


def test_patches_are_the_area_means_of_the_record(some_records, transformed):
    expected = np.stack([image.resize_area(record.patches).numpy() for record in some_records])
    np.testing.assert_array_equal(transformed["patches"], expected)


def test_packing_through_the_graph_and_without_it_give_the_same_bytes(
    some_records, transform_graph
):
    batch = [records.encode(record) for record in some_records]
    through_graph = resizing.resizer(transform_graph)(batch)
    directly = resizing.resizer(None)(batch)
    np.testing.assert_array_equal(through_graph, directly)
