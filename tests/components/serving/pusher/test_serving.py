"""A pushed model answers a serving client: the very code of docs/serving.md."""

import base64
import re
from pathlib import Path

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf

from components.serving.pusher import destination
from tests.components.serving.pusher.model_server import serving
from tests.support.synthetic import point_patches
from trainer.core.config import ModelConfig, TrainerConfig
from trainer.data import image, manifest, records
from trainer.model import byte_codes, export, l2net
from trainer.model.names import SERVING_DIR

_PAGE = Path(__file__).parents[4] / "docs" / "serving.md"
_NORMALISATION = image.Normalisation(kind="patch")
PATCHES = point_patches("v_a", "a", 0, 65)


@pytest.fixture(scope="module")
def descriptors():
    """What the model is to answer, float32 [16, 128]."""
    return _described(_network(seed=1))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A model, pushed after another one, behind a server."""
    root = tmp_path_factory.mktemp("served")
    for seed in (2, 1):
        source = str(root / f"{seed}" / SERVING_DIR)
        _export(_network(seed), source)
        newest = destination.place(source, str(root / "serving"))
    (root / "serving" / ".pushing-a-b").mkdir()  # of a push that was killed
    with serving(root / "serving", "descriptor") as server:
        assert server.version == newest.version
        yield server


def _network(seed):
    return l2net.build(_config().model, seed)


def _config():
    return TrainerConfig(model=ModelConfig(width=0.1))


def _export(network, path):
    entry = manifest.SequenceEntry(
        name="i_a", scene="a", kind="i", count=2, shards=("x",), checksum="c"
    )
    examples = manifest.Manifest(splits={"train": (entry,)}, settings={})
    identity = export.describe_itself(network, _config(), _NORMALISATION, examples)
    small = _small()
    reference = export.Reference(small, _described(network))
    export.save(network, _NORMALISATION, identity, path, reference)


def _small():
    return tf.cast(image.resize_area(tf.constant(PATCHES)), tf.uint8).numpy()


def _described(network):
    return network(image.normalise(tf.constant(_small()), _NORMALISATION), training=False)[
        1
    ].numpy()


def _run(number, server):
    """Runs a piece of Python of the page, with the patches and where the server listens."""
    code = re.findall(r"```python\n(.*?)```", _PAGE.read_text(), re.DOTALL)[number]
    code = code.replace("localhost:8501", server.rest).replace("localhost:8500", server.grpc)
    names = {"patches": PATCHES}
    exec(compile(code, str(_PAGE), "exec"), names)
    return names


def test_the_request_over_http_gives_the_models_descriptors(server, descriptors):
    given = _run(0, server)["descriptors"]
    assert np.shape(given) == (16, 128)
    np.testing.assert_allclose(given, descriptors, atol=1e-5)


def test_the_request_over_grpc_gives_the_models_descriptors(server, descriptors):
    names = _run(1, server)
    assert names["descriptors"].dtype == np.float32
    np.testing.assert_allclose(names["descriptors"], descriptors, atol=1e-5)
    assert names["answer"].model_spec.version.value == server.version


def test_other_signatures_are_asked_for_by_name(server, descriptors):
    def ask(name, instances):
        answer = requests.post(
            f"http://{server.rest}/v1/models/descriptor:predict",
            json={"signature_name": name, "instances": instances},
            timeout=60,
        )
        return np.array(answer.json()["predictions"])

    codes = ask("uint8_descriptors", PATCHES.tolist())
    np.testing.assert_array_equal(codes, byte_codes.encode(tf.constant(descriptors)).numpy())
    record = tf.train.Example()
    record.features.feature[records.PATCHES].bytes_list.value.append(PATCHES.tobytes())
    row = {"b64": base64.b64encode(record.SerializeToString()).decode()}
    np.testing.assert_allclose(ask("serialized_records", [row]), descriptors[None], atol=1e-5)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        (('= "descriptor"', '= "another"'), grpc.StatusCode.NOT_FOUND),
        (('inputs["patches"]', 'inputs["images"]'), grpc.StatusCode.INVALID_ARGUMENT),
        (("(patches)", "(patches / 255.0)"), grpc.StatusCode.INVALID_ARGUMENT),
        (('"serving_default"', '"nothing"'), grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
def test_a_request_that_does_not_fit_the_signature_is_refused(
    server, tmp_path, monkeypatch, changed, code
):
    (tmp_path / "page.md").write_text(_PAGE.read_text().replace(*changed))
    monkeypatch.setattr(f"{__name__}._PAGE", tmp_path / "page.md")
    with pytest.raises(grpc.RpcError) as told:
        _run(1, server)
    assert told.value.code() == code
