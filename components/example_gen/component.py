"""ExampleGen: patch releases, image sequences or photographs become sequence-sharded records."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from google.protobuf import struct_pb2
from tfx import types
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.orchestration import data_types
from tfx.proto import example_gen_pb2
from tfx.types import component_spec, standard_artifacts, standard_component_specs

from components.core.names import CODE_FINGERPRINT_KEY
from components.example_gen import executor, spans
from components.example_gen.formats import reading
from trainer.core.variants import SPLITS

_TABLES = "*.*"
"""Tables beside the folders of the data (scenes, a splits file): TFX's fingerprint sees them."""


class Driver(spans.FilesDriver):
    """TFX's driver; what it does not find is told as the user's mistake."""

    def resolve_exec_properties(
        self, exec_properties: dict[str, Any], *args: Any, **kwargs: Any
    ) -> dict[str, Any]:
        """Resolves span and version and fingerprints the files.

        Raises:
            UserError: When no file matches the pattern, or the pattern is none.
        """
        with spans.pattern_errors(exec_properties):
            return super().resolve_exec_properties(exec_properties, *args, **kwargs)


class PatchExampleGenSpec(component_spec.ComponentSpec):
    """TFX's interface and a fingerprint of the data, which a run can be given."""

    PARAMETERS: ClassVar = {
        **standard_component_specs.FileBasedExampleGenSpec.PARAMETERS,
        executor.DATA_FINGERPRINT_KEY: component_spec.ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = standard_component_specs.FileBasedExampleGenSpec.INPUTS
    OUTPUTS: ClassVar = standard_component_specs.FileBasedExampleGenSpec.OUTPUTS


class PatchExampleGen(FileBasedExampleGen):
    """Turns HPatches, image sequences or photographs into records, one per point.

    TFX's own driver resolves `{SPAN}` and `{VERSION}` in the pattern and fingerprints the
    files; our executor writes the shards itself, because an image sequence must stay in
    whole shards (TFX's writer shuffles records over all of them).

    Component `outputs` contains:
     - `examples`: Channel of type `standard_artifacts.Examples` with the splits `train`,
       `val` and `eval` (uncompressed TFRecord shards) and `manifest.json` beside them.
    """

    SPEC_CLASS = PatchExampleGenSpec
    DRIVER_CLASS = Driver
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        input_base: str | data_types.RuntimeParameter,
        format: str,
        settings_json: str,
        split_lists: dict[str, Any] | None,
        code_fingerprint: str,
        data_fingerprint: str | data_types.RuntimeParameter = "",
        pattern: str | None = None,
    ):
        """Builds the component.

        Args:
            input_base: Folder of the data.
            format: Data format, a name in `components.example_gen.registry`.
            settings_json: `DataSettings` as JSON.
            split_lists: The resolved content of an official split or a splits file, so
                that an edit of the file changes the cache key.
            code_fingerprint: See `trainer.core.code_fingerprint`.
            data_fingerprint: Anything that changes with the data, only part of the cache key;
                TFX's own fingerprint knows neither names nor contents.
            pattern: File pattern below `input_base` for data with spans or versions, e.g.
                `span-{SPAN}/v{VERSION}/*/*`; None for the format's own layout.
        """
        custom = struct_pb2.Struct()
        custom.update(
            {
                executor.SETTINGS_KEY: settings_json,
                executor.SPLIT_LISTS_KEY: json.dumps(split_lists, sort_keys=True),
                CODE_FINGERPRINT_KEY: code_fingerprint,
            }
        )
        config = example_gen_pb2.CustomConfig()
        config.custom_config.Pack(custom, deterministic=True)
        usual = reading.get(format).pattern
        splits = [example_gen_pb2.Input.Split(name="images", pattern=pattern or usual)]
        if pattern is None and "/" in usual:
            splits.append(example_gen_pb2.Input.Split(name="tables", pattern=_TABLES))
        output_config = example_gen_pb2.Output(
            split_config=example_gen_pb2.SplitConfig(
                splits=[
                    example_gen_pb2.SplitConfig.Split(name=name, hash_buckets=1) for name in SPLITS
                ]
            )
        )
        spec = PatchExampleGenSpec(
            input_base=input_base,
            input_config=example_gen_pb2.Input(splits=splits),
            output_config=output_config,
            custom_config=config,
            output_data_format=example_gen_pb2.FORMAT_TF_EXAMPLE,
            output_file_format=example_gen_pb2.FORMAT_TFRECORDS_GZIP,
            data_fingerprint=data_fingerprint,
            examples=types.Channel(type=standard_artifacts.Examples),
        )
        # Not TFX's constructor, which would make a spec of its own.
        base_beam_component.BaseBeamComponent.__init__(self, spec=spec)
