"""Writes a patch release from image sequences or photographs: `hpatches extract`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from components.example_gen import files, sources, sources_table, strips
from components.example_gen.patch_set import PatchSet
from components.example_gen.settings import DataSettings, SourceType
from trainer.errors import UserError
from trainer.progress import report
from trainer.variants import VARIANTS

SUMMARY = "extraction.json"


def extract(
    source_type: SourceType, input_dir: str, output_dir: str, settings: DataSettings
) -> dict[str, Any]:
    """Cuts the patches of every image sequence and writes them as an HPatches patch release.

    The release appears under its name only when it is complete; on remote file systems,
    which rename no folders, `extraction.json` is written last. Beside the image sequences
    lie `sources.csv` (what shows the same scene) and `extraction.json`.

    Args:
        source_type: `sequences` or `photos`.
        input_dir: Folder of the data.
        output_dir: Folder to write; absent or empty.
        settings: Seed, limits, extraction and photograph settings.

    Returns:
        The content of `extraction.json`: `settings`, `sequences` (name, source, kind, count,
        statistics), `skipped` (name, reason), `patches` (their number) and `statistics`
        (means over all points).

    Raises:
        UserError: When the data cannot be used or the output folder cannot be written.
    """
    if source_type == "strips":
        raise UserError("source 'strips' is a patch release already, expected sequences or photos")
    _check_output(output_dir)
    settings = settings.model_copy(update={"source": source_type})
    inputs, left_out = sources.list_sequences(source_type, input_dir, settings)
    staging = _staging_folder(output_dir)
    skipped = list(left_out)
    written: list[dict[str, Any]] = []
    try:
        for number, item in enumerate(inputs):
            report("cutting patches", number, len(inputs), item.name)
            try:
                patch_set = sources.load_sequence(item, settings)
            except UserError as error:
                if not settings.skip_bad_sequences:
                    raise
                skipped.append(sources.Skipped(item.name, str(error)))
                continue
            strips.write_release(patch_set, staging)
            written.append(_describe(patch_set))
        report("cutting patches", len(inputs), len(inputs))
        if not written:
            reasons = "; ".join(item.reason for item in skipped)
            raise UserError(f"{input_dir}: every image sequence is bad and skipped ({reasons})")
        summary = _summarise(settings, written, skipped)
        table = sources_table.format_table({entry["name"]: entry["source"] for entry in written})
        files.write_bytes(files.join(staging, sources_table.FILE_NAME), table.encode())
        files.write_bytes(files.join(staging, SUMMARY), json.dumps(summary, indent=1).encode())
        if staging != output_dir:
            _publish(staging, output_dir)
    finally:
        if staging != output_dir:
            shutil.rmtree(staging, ignore_errors=True)
    return summary


def _check_output(output_dir: str) -> None:
    if not files.exists(output_dir):
        return
    if files.list_folder(output_dir):
        raise UserError(
            f"{output_dir}: is not empty, expected a new or empty folder for the patch release"
        )


def _staging_folder(output_dir: str) -> str:
    if files.is_remote(output_dir):
        return output_dir
    output = Path(output_dir).absolute()
    staging = output.with_name(f".{output.name}.partial")
    try:
        shutil.rmtree(staging, ignore_errors=True)  # of a run that was killed
        staging.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"{output_dir}: cannot be written ({error.strerror})") from error
    return str(staging)


def _publish(staging: str, output_dir: str) -> None:
    try:
        Path(staging).rename(output_dir)
    except OSError as error:
        raise UserError(f"{output_dir}: cannot be written ({error.strerror})") from error


def _describe(patch_set: PatchSet) -> dict[str, Any]:
    return {
        "name": patch_set.name,
        "source": patch_set.source,
        "kind": patch_set.kind,
        "count": len(patch_set),
        "statistics": {key: round(value, 4) for key, value in patch_set.statistics.items()},
    }


def _summarise(
    settings: DataSettings, written: list[dict[str, Any]], skipped: list[sources.Skipped]
) -> dict[str, Any]:
    points = sum(entry["count"] for entry in written)
    shares = [key for key in written[0]["statistics"] if key.startswith(("overlap", "nearer"))]
    means = {
        key: sum(entry["statistics"][key] * entry["count"] for entry in written) / points
        for key in shares
    }
    return {
        "version": 1,
        "source_type": settings.source,
        "settings": settings.model_dump(mode="json", exclude={"source", "split"}),
        "sequences": written,
        "skipped": [item._asdict() for item in sorted(skipped)],
        "points": points,
        "patches": points * len(VARIANTS),
        "statistics": {key: round(value, 4) for key, value in means.items()},
    }
