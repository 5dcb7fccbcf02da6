"""The configuration as a whole."""

from pathlib import Path

import pytest
import yaml

from components.example_gen.settings import DataSettings
from pipeline.config import files
from pipeline.config.tree import ConfigError, PipelineConfig, load_config
from trainer.core.config import demo_plan
from trainer.core.errors import UserError


def write(folder: Path, text: str) -> str:
    (folder / "my.yaml").write_text(text)
    return str(folder / "my.yaml")


@pytest.mark.parametrize("name", files.packaged_names())
def test_every_packaged_configuration_is_valid_and_survives_writing_down(name, tmp_path):
    config = load_config(name)
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
    assert load_config(write(tmp_path, text)) == config


def test_the_packaged_configurations_are_what_the_command_line_offers():
    assert {"demo", "photos", "sequences", "strips", "hpatches_a"} <= set(files.packaged_names())
    for source in ("photos", "sequences", "strips"):
        assert load_config(source).data.format == source


@pytest.mark.parametrize("name", ["photos", "sequences", "strips", "hpatches_a"])
def test_data_of_unknown_size_get_a_plan_of_their_own(name):
    assert load_config(name).training.stages == "auto"
    assert load_config("demo").training.stages == demo_plan()  # it keeps what it was tuned with


def test_a_plan_may_be_given_in_place_of_auto_and_the_other_way_round():
    given = load_config("strips", ["training.stages=[{max_steps: 3}]"]).training.plan
    assert [stage.max_steps for stage in given] == [3]
    assert load_config("demo", ["training.stages=auto"]).training.stages == "auto"
    with pytest.raises(UserError, match=r"training.stages is the value 'auto' and has no keys"):
        load_config("strips", ["training.stages.0.max_steps=3"])


def test_packaged_pipeline_names_differ_so_that_their_caches_do():
    names = [load_config(name).name for name in files.packaged_names()]
    assert len(set(names)) == len(names)


def test_the_benchmark_configuration_is_the_official_split_a():
    config = load_config("hpatches_a")
    assert (config.data.format, config.data.split.rule, config.data.split.name) == (
        "strips",
        "official",
        "a",
    )


@pytest.mark.parametrize(
    ("overrides", "split"),
    [
        ([], "a"),
        (["data.split.name=b"], "b"),
        (["data.split={rule: share}"], "a"),
        (["data.split={rule: share}", "evaluation.official_split=c"], "c"),
        (["data.split={rule: file, file: my.json, name: mine}"], "mine"),
        (["evaluation.official_split=a"], "a"),
    ],
)
def test_published_tasks_are_those_of_the_datas_split(overrides, split):
    assert load_config("hpatches_a", overrides).evaluation_settings.official_split == split


def test_published_tasks_of_another_split_than_the_datas_are_refused():
    sentence = "evaluation.official_split is 'a', but data.split.name is 'b'; leave evaluation"
    with pytest.raises(ConfigError, match=sentence):
        load_config("hpatches_a", ["data.split.name=b", "evaluation.official_split=a"])


def test_overrides_and_options_win_over_the_file_and_options_over_overrides(tmp_path):
    path = write(tmp_path, "base: demo\ntraining: {seed: 3}\ndata: {seed: 4}\n")
    config = load_config(
        path,
        [
            "training.seed=5",
            "training.seed=6",
            "data.path=from-set",
            "training.stages.0.max_steps=77",
        ],
        {"data.path": ("--data", "from-option")},
    )
    assert config.training.seed == 6
    assert config.data.seed == 4
    assert config.data.path == "from-option"
    (tuned,) = load_config("demo").training.plan
    assert config.training.plan == (tuned.model_copy(update={"max_steps": 77}),)
    # Two that only fit together are taken together, and a whole list can be set.
    settings = ["data.split.rule=official", "data.split.name=b", "beam=[--a=1]"]
    config = load_config("strips", [*settings, "evaluation.tasks=[matching, retrieval]"])
    assert config.data.split.name == "b"
    assert config.evaluation.tasks == ("matching", "retrieval")
    assert config.beam == ("--a=1",)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("trainin: {}\n", "my.yaml: trainin: unknown key; did you mean 'training'?"),
        (
            "training: {stages: [{patches_per_point: 17}]}\n",
            "my.yaml: training.stages.0.patches_per_point: found 17, expected at most 16",
        ),
        (
            "training: {stages: [{points_per_batch: many}]}\n",
            'my.yaml: training.stages.0.points_per_batch: found "many", expected an integer',
        ),
        ("warm_start: 1\n", "my.yaml: warm_start: found 1, expected true or false"),
        ("beam: --direct\n", 'my.yaml: beam: found "--direct", expected a list'),
        ("push: serving\n", 'my.yaml: push: found "serving", expected a block of keys'),
        ("data: {source: x}\n", "my.yaml: data.source: the key is called format now; rename it"),
        (
            "training: {stages: [{sequences_per_batch: 8}]}\n",
            "my.yaml: training.stages.0.sequences_per_batch: the key is called points_per_batch "
            "now; rename it",
        ),
        ("data: {paths: x}\n", "my.yaml: data.paths: unknown key; did you mean 'path'?"),
        (
            "data: {format: strip}\n",
            "my.yaml: data.format: found \"strip\", expected 'strips', 'sequences' or 'photos'",
        ),
        (
            "data: {split: {rule: official}}\n",
            "my.yaml: data.split: rule 'official' needs a name out of a, b, c, illum, view; "
            "found name null",
        ),
        (
            "evaluation: {gate: {production: {delta: -1}}}\n",
            "my.yaml: evaluation.gate.production.delta: found -1, expected at least 0.0",
        ),
        (
            "name: My Pipeline\n",
            'my.yaml: name: found "My Pipeline", expected a text that matches '
            "^[a-z0-9][a-z0-9-]{0,127}$",
        ),
        ("work_dir: ''\n", 'my.yaml: work_dir: found "", expected a text of at least 1 characters'),
    ],
)
def test_a_wrong_file_ends_in_one_sentence(tmp_path, text, sentence):
    with pytest.raises(UserError) as error:
        load_config(write(tmp_path, text))
    assert str(error.value) == f"{tmp_path}/{sentence}"


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        (
            "training.sed=1",
            "--set training.sed: unknown key; did you mean 'seed'?",
        ),
        (
            "training.stages.0.learning_rate=fast",
            '--set training.stages.0.learning_rate: found "fast", expected a number',
        ),
        (
            "data.split.rule=official",
            "--set data.split.rule: data.split: rule 'official' needs a name out of "
            "a, b, c, illum, view; found name null",
        ),
    ],
)
def test_a_wrong_override_ends_in_one_sentence_that_names_it(override, sentence):
    with pytest.raises(ConfigError) as error:
        load_config("demo", [override])
    assert str(error.value) == sentence


def test_a_wrong_option_is_named_as_the_user_typed_it():
    with pytest.raises(ConfigError, match=r"^--work: work_dir: found 3, expected a text$"):
        load_config("demo", [], {"work_dir": ("--work", 3)})


def test_data_settings_leave_the_place_out():
    config = load_config("demo", ["data.path=/x", "data.seed=9"])
    settings = config.data.settings()
    assert type(settings) is DataSettings
    assert settings == DataSettings(**{**settings.model_dump(), "seed": 9})
    assert not hasattr(settings, "path")


def test_models_are_pushed_into_the_work_folder_unless_told_otherwise():
    assert PipelineConfig(work_dir="w/").push_destination == "w/serving"
    assert load_config("demo", ["push.destination=gs://b/m"]).push_destination == "gs://b/m"


def test_keys_that_the_user_chooses_can_be_set_one_by_one():
    config = load_config(
        "demo", [f"platform.resources.Transform.{key}=2" for key in ("cpu", "memory")]
    )
    assert config.platform.resources["Transform"].memory == 2
    with pytest.raises(ConfigError, match=r"platform\.resources\.Transform\.cpus: unknown key"):
        load_config("demo", ["platform.resources.Transform.cpus=2"])


def test_an_accelerator_for_a_trainer_that_only_waits_is_refused(tmp_path):
    text = (
        "platform:\n"
        "  resources: {DescriptorTrainer: {accelerator: nvidia.com/gpu}}\n"
        "  training: {image: registry/trainer, machine_type: ct5lp-hightpu-4t, tpu_topology: 2x2}\n"
    )
    with pytest.raises(ConfigError, match=r"platform: resources\.DescriptorTrainer asks for"):
        load_config(write(tmp_path, text))
