"""Writes a patch release from image sequences or photographs: `hpatches extract`."""

from __future__ import annotations

import json
from typing import Any

from components.core import files
from components.example_gen.formats import reading, scene_table, strips
from components.example_gen.formats.base import PatchSet
from components.example_gen.settings import DataSettings
from trainer.core.errors import UserError
from trainer.core.progress import report
from trainer.core.variants import VARIANTS

SUMMARY = "extraction.json"


def extract(format: str, input_dir: str, output_dir: str, settings: DataSettings) -> dict[str, Any]:
    """Cuts the patches of every image sequence and writes them as an HPatches patch release.

    The release appears under its name only when it is complete; on remote file systems,
    which rename no folders, `extraction.json` is written last. Beside the image sequences
    lie `scenes.csv` (what shows the same scene) and `extraction.json`.

    Args:
        format: Data format whose patches are cut, e.g. `photos`.
        input_dir: Folder of the data.
        output_dir: Folder to write; absent or empty.
        settings: Seed, limits, extraction and photograph settings.

    Returns:
        The content of `extraction.json`: `settings`, `sequences` (name, scene, kind, count,
        statistics), `skipped` (name, reason), `remarks` (sentences on the data), `patches`
        (their number) and `statistics` (means over all points).

    Raises:
        UserError: When the data cannot be used or the output folder cannot be written.
    """
    if reading.get(format).count is not None:
        raise UserError(
            f"format {format!r} holds patches already, expected one that patches are cut from, "
            "e.g. sequences or photos"
        )
    settings = settings.model_copy(update={"format": format})
    with files.new_folder(output_dir) as folder:
        inputs, left_out, remarks = reading.survey(format, input_dir, settings)
        written, skipped, found = _write_sequences(inputs, folder, settings)
        skipped = [*left_out, *skipped]
        if not written:
            reasons = "; ".join(item.reason for item in skipped)
            raise UserError(f"{input_dir}: every image sequence is bad and skipped ({reasons})")
        summary = _summarise(settings, written, skipped, remarks + found)
        table = scene_table.format_table({entry["name"]: entry["scene"] for entry in written})
        files.write_bytes(files.join(folder, scene_table.FILE_NAME), table.encode())
        files.write_bytes(files.join(folder, SUMMARY), json.dumps(summary, indent=1).encode())
    return summary


def _write_sequences(
    inputs: list[reading.SequenceInput], folder: str, settings: DataSettings
) -> tuple[list[dict[str, Any]], list[reading.Skipped], list[str]]:
    """Writes the strips of every image sequence; returns what was written, skipped, remarked."""
    written: list[dict[str, Any]] = []
    skipped: list[reading.Skipped] = []
    remarks: list[str] = []
    for number, item in enumerate(inputs):
        report("cutting patches", number, len(inputs), item.name)
        try:
            patch_set = reading.load_sequence(item, settings)
        except UserError as error:
            if not settings.skip_bad_sequences:
                raise
            skipped.append(reading.Skipped.of(item.name, error))
            continue
        strips.write_release(patch_set, folder)
        written.append(_describe(patch_set))
        remarks.extend(patch_set.remarks)
    report("cutting patches", len(inputs), len(inputs))
    return written, skipped, remarks


def _describe(patch_set: PatchSet) -> dict[str, Any]:
    return {
        "name": patch_set.name,
        "scene": patch_set.scene,
        "kind": patch_set.kind,
        "count": len(patch_set),
        "statistics": {key: round(value, 4) for key, value in patch_set.statistics.items()},
    }


def _summarise(
    settings: DataSettings,
    written: list[dict[str, Any]],
    skipped: list[reading.Skipped],
    remarks: list[str],
) -> dict[str, Any]:
    points = sum(entry["count"] for entry in written)
    shares = [key for key in written[0]["statistics"] if key.startswith(("overlap", "nearer"))]
    means = {
        key: sum(entry["statistics"][key] * entry["count"] for entry in written) / points
        for key in shares
    }
    return {
        "version": 1,
        "format": settings.format,
        "settings": settings.model_dump(mode="json", exclude={"format", "split"}),
        "sequences": written,
        "skipped": [item._asdict() for item in sorted(skipped)],
        "remarks": remarks,
        "points": points,
        "patches": points * len(VARIANTS),
        "statistics": {key: round(value, 4) for key, value in means.items()},
    }
