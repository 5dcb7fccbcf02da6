"""Runs ExampleGen: lists the data, splits it by scene and writes whole shards in Beam."""

from __future__ import annotations

import json
import posixpath
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import apache_beam as beam
from google.protobuf import struct_pb2
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components.core import executor, files
from components.core.exec_properties import read_settings
from components.core.user_errors import user_errors
from components.example_gen import spans, splits
from components.example_gen.formats import reading
from components.example_gen.settings import DataSettings
from components.example_gen.shards import ENTRIES, WriteShards
from trainer.core.documents import read_json
from trainer.core.errors import UserError
from trainer.core.variants import SPLITS, TRAIN, SplitName
from trainer.data import manifest

SETTINGS_KEY = "settings"
SPLIT_LISTS_KEY = "split_lists"
DATA_FINGERPRINT_KEY = "data_fingerprint"

_READERS = 16  # a bucket answers each in tens of milliseconds, and there is one per sequence


class Executor(executor.BeamExecutor):
    """Writes `Split-<name>/<sequence>-nnnnn-of-nnnnn` and `manifest.json`."""

    def execute(self, execution: executor.Execution) -> None:
        """Turns the data into examples.

        Raises:
            UserError: When the data cannot be used; says which file and why.
        """
        examples = execution.output(standard_component_specs.EXAMPLES_KEY)
        spans.resolve_unless_done(execution.properties, examples)
        custom = _custom_config(execution.properties)
        settings = read_settings(DataSettings, custom[SETTINGS_KEY], "data")
        root = _data_root(execution.properties)

        lists = json.loads(custom[SPLIT_LISTS_KEY]) or splits.load_split_lists(settings.split)
        tested = lists["test"] if lists and settings.split.rule == "official" else ()
        inputs, skipped, remarks = reading.survey(settings.format, root, settings, tested)
        try:
            assigned = splits.assign_splits(
                inputs, settings, lists=lists, skipped=[item.name for item in skipped]
            )
        except UserError as error:  # copies may be why there are too few scenes
            raise UserError("; ".join([str(error), *remarks])) from error
        work = _work(inputs, assigned, settings)
        write = WriteShards(settings, examples.uri, len(work))
        with user_errors(), self._make_beam_pipeline() as pipeline:
            _ = (
                pipeline
                | "Sequences" >> beam.Create(work)
                | "Spread" >> beam.Reshuffle()
                | "CutAndWrite" >> beam.ParDo(write)
            )
        written = _collect(examples.uri)
        content = _manifest(written, skipped, remarks, settings)
        manifest.write(content, examples.uri)
        examples.split_names = artifact_utils.encode_split_names(list(SPLITS))
        examples.set_string_custom_property("checksum", content.checksum)
        examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)


def _work(
    inputs: Sequence[reading.SequenceInput],
    assigned: Mapping[str, SplitName],
    settings: DataSettings,
) -> list[tuple[SplitName, reading.SequenceInput]]:
    """Returns the image sequences of each split, those that training adds among them.

    Raises:
        UserError: When one that is added has the name of another one.
    """
    work: list[tuple[SplitName, reading.SequenceInput]] = []
    for item in inputs:
        split = assigned.get(item.name)
        if split == TRAIN:
            work.extend((TRAIN, one) for one in reading.for_training(item, settings))
        elif split:
            work.append((split, item))
    names = Counter(item.name for _, item in work)
    for _, item in work:
        if names[item.name] > 1:
            raise UserError(
                f"{item.files[0]}: its image sequence {item.name} has the name of another one, "
                f"which photographs.training_sizes makes; rename the file"
            )
    return sorted(work, key=lambda pair: (pair[0], pair[1].name))


def _custom_config(exec_properties: dict[str, Any]) -> dict[str, Any]:
    config = example_gen_pb2.CustomConfig()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY], config)
    content = struct_pb2.Struct()
    config.custom_config.Unpack(content)
    return dict(content)


def _data_root(exec_properties: dict[str, Any]) -> str:
    """The data folder: the input base, and below it the span's folder when there is one."""
    config = example_gen_pb2.Input()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.INPUT_CONFIG_KEY], config)
    fixed = []
    for part in config.splits[0].pattern.split("/"):
        if "*" in part:
            break
        fixed.append(part)
    return posixpath.join(exec_properties[standard_component_specs.INPUT_BASE_KEY], *fixed)


def _collect(root: str) -> list[dict[str, Any]]:
    """Reads what the workers noted per image sequence, sorted by name, and removes the notes."""
    folder = files.join(root, ENTRIES)
    paths = [files.join(folder, name) for name in files.names(folder)]
    with ThreadPoolExecutor(_READERS) as pool:
        notes = list(pool.map(lambda path: read_json(files.read_text(path)), paths))
    files.remove_folder(folder)
    return notes


def _manifest(
    written: list[dict[str, Any]],
    skipped: list[reading.Skipped],
    remarks: list[str],
    settings: DataSettings,
) -> manifest.Manifest:
    by_split: dict[str, list[manifest.SequenceEntry]] = {name: [] for name in SPLITS}
    left_out = [{"name": item.name, "reason": item.reason} for item in skipped]
    for note in written:
        if "skipped" in note:
            left_out.append(note["skipped"])
        else:
            remarks.extend(note.pop("remarks"))
            by_split[note.pop("split")].append(manifest.SequenceEntry(**note))
    for name, entries in by_split.items():
        if not entries:
            reasons = "; ".join(f"{item['name']}: {item['reason']}" for item in left_out)
            raise UserError(
                f"split '{name}' has no image sequence left; expected at least one"
                + (f" (left out: {reasons})" if left_out else "")
            )
    return manifest.Manifest(
        splits={name: tuple(entries) for name, entries in by_split.items()},  # type: ignore[misc]
        skipped=tuple(
            manifest.SkippedSequence(**item) for item in sorted(left_out, key=lambda x: x["name"])
        ),
        remarks=tuple(remarks),
        settings=settings.model_dump(mode="json"),
    )
