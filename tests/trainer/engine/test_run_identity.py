"""Which runs are the same."""

from trainer.core import code_fingerprint
from trainer.core.config import LossConfig, StageConfig, TrainerConfig
from trainer.data.manifest import Manifest, SequenceEntry
from trainer.engine import run_identity

_CONFIG = TrainerConfig(stages=(StageConfig(),))


def _examples(checksum: str = "abc") -> Manifest:
    entry = SequenceEntry(
        name="v_a", scene="a", kind="v", count=1, shards=("shard",), checksum=checksum
    )
    return Manifest(splits={"train": (entry,)})


def _identify(config=_CONFIG, examples=None, graph=None, warm_start=None):
    return run_identity.identify(config, examples or _examples(), graph, warm_start)


def test_equal_runs_have_equal_hashes_that_can_name_a_folder():
    assert _identify().hash == _identify().hash
    assert len(_identify().hash) == 16
    assert _identify().hash.isalnum()
    assert _identify().differences(_identify()) == ""
    # How often it is saved does not matter.
    assert _identify(_CONFIG.model_copy(update={"checkpoint_every": 7})).hash == _identify().hash


def test_settings_that_differ_are_named():
    loss = LossConfig(margin=0.5)
    stages = (StageConfig(max_steps=5), StageConfig())
    other = _identify(_CONFIG.model_copy(update={"loss": loss, "stages": stages, "seed": 3}))
    assert other.hash != _identify().hash
    said = other.differences(_identify())
    assert said.startswith("the configuration (loss.margin, seed, stages.0.max_steps, stages.1.")
    assert "stages.0.learning_rate" not in said


def test_data_code_and_warm_start_that_differ_are_named(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "saved_model.pb").write_bytes(b"weights")
    before = _identify()
    monkeypatch.setattr(code_fingerprint, "fingerprint", lambda *_: "other")
    after = _identify(examples=_examples("def"), warm_start=str(tmp_path / "model"))
    assert after.differences(before) == (
        "the data and the trainer's code and the model of the warm start"
    )
    assert after.hash != before.hash


def test_the_transform_graph_belongs_to_the_data(tmp_path):
    for name, content in (("one", b"1"), ("two", b"2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "graph").write_bytes(content)
    one, two = (_identify(graph=str(tmp_path / name)) for name in ("one", "two"))
    assert one.differences(two) == "the data"


def test_it_comes_back_from_its_file_with_the_same_hash(tmp_path):
    assert run_identity.read(str(tmp_path)) is None
    run_identity.write(_identify(), str(tmp_path))
    identity = run_identity.read(str(tmp_path))
    assert identity is not None
    assert identity.hash == _identify().hash
    (tmp_path / "run.json").write_text("{")
    assert run_identity.read(str(tmp_path)) is None
