"""Runs of ExampleGen's executor."""

from pathlib import Path

from tfx.types import artifact_utils, standard_artifacts
from tfx.types.standard_component_specs import EXAMPLES_KEY

from components.example_gen import executor
from components.example_gen.component import PatchExampleGen
from components.example_gen.settings import DataSettings
from tests.support.artifacts import artifact


def run(
    data: Path, output: Path, pattern: str | None = None, format: str = "strips", **settings
) -> Path:
    """Runs the executor with what the component and TFX's driver would hand it."""
    component = PatchExampleGen(
        input_base=str(data),
        format=format,
        settings_json=DataSettings(format=format, **settings).model_dump_json(),
        split_lists=None,
        code_fingerprint="",
        pattern=pattern,
    )
    examples = artifact(standard_artifacts.Examples, output)
    executor.Executor().Do({}, {EXAMPLES_KEY: [examples]}, dict(component.exec_properties))
    assert artifact_utils.decode_split_names(examples.split_names) == ["train", "val", "eval"]
    return output
