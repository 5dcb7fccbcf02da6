"""A data format is one file and one line: everything else derives from the registry."""

from pathlib import Path

import click
import numpy as np
import pytest

from components.descriptor_evaluator.descriptors import saved_model, store
from components.descriptor_evaluator.protocol.tasks import SequenceInfo, matching_only
from components.descriptor_evaluator.scoring.score import score
from components.example_gen import registry
from components.example_gen.formats import reading
from pipeline import preflight
from pipeline.commands.options import config_name
from pipeline.config.tree import load_config
from tests.components.example_gen import npz_format
from tests.components.example_gen.executor_runs import run
from tests.support.training import folders_in, small_config, small_stage
from trainer.core.errors import UserError
from trainer.data import manifest, records
from trainer.engine import loop

PAGE = Path(__file__).parents[3] / "docs" / "extending.md"


@pytest.fixture
def archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in a format that the package does not know, which is registered."""
    monkeypatch.setitem(registry.FORMATS, "npz", f"{npz_format.__name__}:FORMAT")
    folder = tmp_path / "archives"
    folder.mkdir()
    for number, name in enumerate(("v_a", "i_b", "v_c", "i_d", "v_e", "i_f")):
        random = np.random.default_rng(number)
        points = random.integers(0, 240, (3, 1, *records.PATCH_SHAPE[1:]), np.uint8)
        noise = random.integers(0, 16, (3, *records.PATCH_SHAPE), np.uint8)
        np.savez(folder / f"{name}.npz", patches=points + noise)
    return folder


@pytest.mark.parametrize("name", registry.FORMATS)
def test_every_format_says_what_it_is(name: str):
    layout = reading.get(name)
    assert layout.title and layout.expected and layout.pattern


def test_a_format_from_outside_becomes_records(archives: Path, tmp_path: Path):
    root = run(archives, tmp_path / "out", format="npz")
    listing = manifest.read(str(root))
    names = {entry.name for entries in listing.splits.values() for entry in entries}
    assert names == {"v_a", "i_b", "v_c", "i_d", "v_e", "i_f"}
    (path, *_) = listing.shard_paths(str(root), "eval")
    record = next(iter(records.read_shard(path)))
    stored = np.load(archives / f"{record.sequence}.npz")["patches"]
    np.testing.assert_array_equal(record.patches, stored[record.index])


@pytest.mark.slow
def test_a_model_is_trained_and_scored_on_it(archives: Path, tmp_path: Path):
    examples = str(run(archives, tmp_path / "out", format="npz"))
    config = small_config(small_stage(4, 2, 8))
    trained = loop.train(config, examples, None, folders_in(tmp_path))
    model = saved_model.load_model(trained.model_path)
    entries = manifest.read(examples).splits["eval"]
    patches = {entry.name: store.read_patches(examples, entry) for entry in entries}
    descriptors = {
        name: saved_model.describe_patches(model, values) for name, values in patches.items()
    }
    infos = [SequenceInfo(entry.name, entry.scene, entry.kind, entry.count) for entry in entries]
    scores = score(descriptors, matching_only(infos), ("matching",))
    assert np.mean([unit.metrics["ap"] for unit in scores]) > 0.9


def test_the_configuration_takes_it_and_checks_its_data(archives: Path):
    stages = "[{points_per_batch: 4096, patches_per_point: 2}]"
    config = load_config("strips", ["data.format=npz", f"training.stages={stages}"])
    with pytest.raises(UserError, match="points_per_batch: found 4096, expected at most"):
        preflight.check_data(config, str(archives))


def test_a_format_without_a_configuration_of_its_own_takes_that_of_strips():
    assert config_name(None, "photos") == "photos"
    assert config_name(None, "npz") == "strips"
    assert config_name("my.yaml", "npz") == "my.yaml"


def test_the_command_line_offers_every_format():
    from pipeline.commands.runs.run import run as command

    (option,) = (item for item in command.params if item.name == "format")
    assert isinstance(option.type, click.Choice)
    assert list(option.type.choices) == list(registry.FORMATS)


def test_the_page_shows_the_example_as_it_is():
    shown = [line[1:] for line in PAGE.read_text().splitlines() if line.startswith("+")]
    code = Path(npz_format.__file__).read_text().partition("from __future__")[2].splitlines()
    assert "\n".join(code) in "\n".join(shown)
