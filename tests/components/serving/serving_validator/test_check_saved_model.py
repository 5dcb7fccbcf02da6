"""The checks themselves, on fakes with one fault each; no process is started."""

import importlib
import json
import sys

import numpy as np
import pytest
import tensorflow as tf

from components.serving.serving_validator import check_saved_model, sample
from tests.components.serving.serving_validator import tiny_model
from trainer.model import byte_codes

IDENTITY = tiny_model.IDENTITY


class Fake:
    """A loaded model whose signatures run a NumPy function."""

    def __init__(self, alter=lambda codes, patches: codes, alter_records=lambda codes: codes):
        self._alter, self._alter_records = alter, alter_records
        self._model = tiny_model.Thumbnail()
        self.signatures = {
            "serving_default": self._serve,
            "serialized_records": self._serve_records,
        }

    def _serve(self, patches):
        codes = self._model.describe(patches)["descriptors"].numpy()
        return {"descriptors": tf.constant(self._alter(codes, patches.numpy()))}

    def _serve_records(self, records):
        codes = self._model.describe_records(records)["descriptors"].numpy()
        return {"descriptors": tf.constant(self._alter_records(codes))}


@pytest.fixture(scope="module")
def request_content(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    sample.write(None, str(folder), 2)
    return {
        "patches": str(folder / sample.PATCHES_FILE),
        "records": str(folder / sample.RECORDS_FILE),
        "tolerance": 1e-5,
    }


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(check_saved_model, "LATENCY_BATCH", 8)


def failures(model, request_content, identity=IDENTITY):
    report = check_saved_model.Report()
    check_saved_model.run_checks(model, identity, request_content, report)
    return [check["name"] for check in report.checks if not check["passed"]], report


def test_a_good_model_passes_every_check(request_content):
    failed, report = failures(Fake(), request_content)
    assert failed == []
    assert report.warnings == []
    assert len(report.checks) == 3 * 5 + 1 + 2  # sizes, flat patches, records
    assert report.latency["batch_size"] == 8
    assert report.latency["batch_milliseconds_per_patch"] > 0
    assert report.latency["single_milliseconds_per_patch"] > 0


def minus_batch_mean(codes, patches):
    return codes - codes.mean(axis=0, keepdims=True) if len(codes) > 1 else codes


def random_each_time(codes, patches, generator=np.random.default_rng([0])):  # noqa: B008
    return codes + generator.normal(size=codes.shape).astype(np.float32)


def nan_on_flat(codes, patches):
    return np.where(patches.std(axis=(1, 2))[:, None] == 0, np.float32(np.nan), codes)


def only_65(codes, patches):
    if patches.shape[1:] != (65, 65):
        raise ValueError(f"Matrix size-incompatible: {patches.shape}")
    return codes


FAULTS = {
    "same alone as in a batch": minus_batch_mean,
    "same twice": random_each_time,
    "flat patches": nan_on_flat,
    "patches 32x32": only_65,
    "finite": lambda codes, patches: np.full_like(codes, np.nan),
    "unit length": lambda codes, patches: 1.01 * codes,
    "shape": lambda codes, patches: codes.astype(np.float64),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found_and_named(request_content, name):
    failed, _ = failures(Fake(FAULTS[name]), request_content)
    assert any(name in check for check in failed), failed


def test_the_dimension_is_the_identitys(request_content):
    failed, report = failures(Fake(), request_content, {**IDENTITY, "dimension": 128})
    assert "patches 65x65: shape" in failed
    detail = next(c["detail"] for c in report.checks if c["name"] == "patches 65x65: shape")
    assert detail == "float32 [7, 64], expected float32 [7, 128]"


def test_a_length_other_than_one_is_right_without_l2(request_content):
    identity = {"dimension": 64, "architecture": {"name": "L2-Net", "final_normalisation": "none"}}
    long = Fake(lambda codes, patches: 7 * codes, lambda codes: 7 * codes)
    assert failures(long, request_content, identity)[0] == []


@pytest.mark.parametrize(
    "alter", [lambda codes: codes[:, ::-1], lambda codes: np.full_like(codes, np.nan)]
)
def test_records_must_agree_with_patches(request_content, alter):
    failed, _ = failures(Fake(alter_records=alter), request_content)
    assert failed == ["serialized_records: as serving_default"]


@pytest.mark.parametrize(
    ("alter", "expected"),
    [
        (lambda codes: codes, []),
        (lambda codes: codes[:, ::-1], ["uint8_descriptors: as serving_default"]),
        (lambda codes: codes.astype(np.int32), ["uint8_descriptors: shape"]),
    ],
)
def test_bytes_must_agree_with_the_descriptors(request_content, alter, expected):
    model = Fake()
    model.signatures["uint8_descriptors"] = lambda patches: {
        "descriptors": tf.constant(
            alter(byte_codes.encode_array(model._serve(patches)["descriptors"].numpy()))
        )
    }
    identity = {**IDENTITY, "uint8": byte_codes.describe_code(64)}
    assert failures(model, request_content, identity)[0] == expected


def test_an_empty_batch_that_fails_is_a_warning(request_content):
    def refuse_empty(codes, patches):
        if not len(patches):
            raise ValueError("Graph execution error:\n\nDetected at node Conv\ninput depth is 0\n")
        return codes

    failed, report = failures(Fake(refuse_empty), request_content)
    assert failed == []
    assert report.warnings == ["an empty batch is not served (input depth is 0)"]


def test_a_missing_or_different_signature_is_named(tmp_path):
    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 65, 65], tf.float32, name="images")])
        def describe(self, images):
            return {"descriptors": tf.reduce_mean(images, axis=2)}

    module = Module()
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": module.describe})
    report = check_saved_model.Report()
    check_saved_model.load({"model": str(tmp_path)}, report)
    details = {check["name"]: check["detail"] for check in report.checks if not check["passed"]}
    assert details == {
        "signature serving_default": "images (float32) -> descriptors (float32); "
        "expected patches (uint8) -> descriptors (float32)",
        "signature serialized_records": "there is no such signature; "
        "expected records (string) -> descriptors (float32)",
    }


@pytest.mark.parametrize("content", ["[]", "{}", "{", None])
def test_an_identity_that_cannot_be_read_is_a_reason(tmp_path, content):
    (tmp_path / "assets.extra").mkdir()
    if content is not None:
        (tmp_path / "assets.extra/descriptor.json").write_text(content)
    report = check_saved_model.Report()
    read = check_saved_model.read_identity
    assert report.attempt("identity", read, str(tmp_path), report) is None
    assert [check["passed"] for check in report.checks] == [False]


def test_a_project_import_is_refused_and_others_are_not(monkeypatch):
    hook = check_saved_model.RefuseProject(["trainer"])
    monkeypatch.setattr(sys, "meta_path", [hook, *sys.meta_path])
    monkeypatch.delitem(sys.modules, "trainer.core.variants", raising=False)
    with pytest.raises(ImportError, match=r"trainer\.core\.variants is project code"):
        importlib.import_module("trainer.core.variants")
    assert hook.find_spec("trainers") is None


def test_a_model_that_cannot_be_loaded_still_gives_a_result(tmp_path, monkeypatch):
    (tmp_path / "saved_model.pb").write_text("rubbish")
    request = {"model": str(tmp_path), "blocked": []}
    (tmp_path / "request.json").write_text(json.dumps(request))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    check_saved_model.main(str(tmp_path / "request.json"), str(tmp_path / "result.json"))
    (check,) = json.loads((tmp_path / "result.json").read_text())["checks"]
    assert check["name"] == "load"
    assert not check["passed"]
