"""The record of every pipeline run, one JSON file each under `<work>/runs`."""

from __future__ import annotations

import posixpath
from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, Field, ValidationError

from components.core import files
from pipeline.runs import relocation
from trainer.core.errors import UserError
from trainer.core.settings import Settings
from trainer.core.validation_messages import first_problem

FOLDER = "runs"
_NAMED = 5  # work folders that an error lists
SHOWN_TIME = "%Y-%m-%d %H:%M:%S"  # local time, which names a run to its user
ComponentState = Literal["executed", "cached", "failed", "interrupted", "not_reached"]


class ComponentRecord(Settings):
    """What became of one component.

    Attributes:
        name: Component id, e.g. `DescriptorTrainer`.
        state: `executed`, `cached` (its outputs are an earlier run's), `failed`, `interrupted`
            (Ctrl-C) or `not_reached` (an earlier component failed).
        seconds: Wall time.
        outputs: Artifact folders per output. Those of cached components too: `clean` takes
            what no kept run names for rubbish.
    """

    name: str
    state: ComponentState
    seconds: float = Field(default=0.0, ge=0)
    outputs: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class RunSummary(Settings):
    """One pipeline run.

    Attributes:
        run_id: Names the record's file.
        started: With time zone.
        seconds: Wall time of the whole run.
        config_name: e.g. `demo`, or the path of the file.
        config_checksum: sha256 of the resolved configuration.
        data_checksum: Checksum of the examples; "" when the run did not get that far.
        components: In the order of the pipeline.
        metrics: The headline numbers as fractions, e.g. `{"matching": 0.74}`.
        blessed: The verdict; None when there is none.
        reasons: Why it was not blessed.
        push_destination: Folder that blessed models are pushed to.
        pushed_version: The version this run pushed; None when it pushed nothing.
        error: The sentence a failed run ended with; "" when it ran to its end.
        work_dir: Work folder of that time, absolute; "" in old records. Paths below it are told
            as they are now, wherever the folder was copied or moved to.
        cleaned: True once `hpatches clean` has deleted its artifacts.
    """

    version: Literal[1] = 1
    run_id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:+-]*$")
    started: AwareDatetime
    seconds: float = Field(ge=0)
    config_name: str
    config_checksum: str
    data_checksum: str = ""
    components: tuple[ComponentRecord, ...] = ()
    metrics: dict[str, float] = Field(default_factory=dict)
    blessed: bool | None = None
    reasons: tuple[str, ...] = ()
    push_destination: str = ""
    pushed_version: int | None = None
    error: str = ""
    work_dir: str = ""
    cleaned: bool = False

    def output(self, component: str, key: str) -> str:
        """Returns the first folder of an output; "" when the run has none."""
        uris = (item.outputs.get(key, ()) for item in self.components if item.name == component)
        return next((uri for listed in uris for uri in listed), "")

    @property
    def output_uris(self) -> tuple[str, ...]:
        """Every artifact folder the run wrote or took from the cache."""
        return tuple(
            uri
            for component in self.components
            for uris in component.outputs.values()
            for uri in uris
        )

    @property
    def ran_to_its_end(self) -> bool:
        """False when a component failed, was interrupted or was not reached."""
        stopped = any(c.state in ("failed", "interrupted", "not_reached") for c in self.components)
        return not self.error and not stopped


def record_path(work_dir: str, run_id: str) -> str:
    """Returns where the record of a run is."""
    return posixpath.join(work_dir, FOLDER, f"{run_id}.json")


def record_run(work_dir: str, summary: RunSummary) -> str:
    """Writes the record (whole or not at all) and returns its path.

    Raises:
        UserError: When the work folder cannot be written.
    """
    path = record_path(work_dir, summary.run_id)
    files.write_text(path, summary.model_dump_json(indent=1))
    return path


def existing(work_dir: str) -> str:
    """Returns a work folder.

    Raises:
        UserError: When there is none.
    """
    if not files.is_folder(work_dir):
        raise UserError(
            f"{work_dir}: there is no such work folder; expected the one of earlier runs, named "
            f"with --work{others_in_words(work_dir)}"
        )
    return work_dir


def seconds_by_component(work: str) -> dict[str, float]:
    """Returns how long each component took when it last ran in a work folder, if that is known."""
    took: dict[str, float] = {}
    try:
        runs = list_runs(work)
    except UserError:  # a damaged record, which a run does without
        return {}
    for run in runs:
        for item in run.components:
            if item.state == "executed":
                took.setdefault(item.name, item.seconds)
    return took


def is_work_folder(path: str) -> bool:
    """Whether something ran there, by its records."""
    return any(name.endswith(".json") for name in files.names(posixpath.join(path, FOLDER)))


def work_folders_near() -> list[str]:
    """Returns the work folders that lie right here or one folder deeper."""
    near = [name for name in files.names(".") if name[0] != "." and files.is_folder(name)]
    deeper = [posixpath.join(name, inside) for name in near for inside in files.names(name)]
    return [path for path in (*near, *deeper) if is_work_folder(path)]


def others_in_words(work_dir: str) -> str:
    """Names work folders that may be meant in the place of one; "" when there are none."""
    near = [path for path in work_folders_near() if path != work_dir.rstrip("/")]
    return f" (these look like one: {', '.join(near[:_NAMED])})" if near else ""


def list_runs(work_dir: str) -> list[RunSummary]:
    """Returns the runs of a work folder, newest first; none when nothing ran there.

    Raises:
        UserError: When a record cannot be understood. It is not passed over, because
            `clean` would then delete what that run uses.
    """
    folder = posixpath.join(work_dir, FOLDER)
    summaries = [
        relocation.here(_read(posixpath.join(folder, name)), work_dir)
        for name in files.names(folder)
        if name.endswith(".json")
    ]
    return sorted(summaries, key=_age, reverse=True)


def _age(summary: RunSummary) -> tuple[datetime, str]:
    return summary.started, summary.run_id


def _read(path: str) -> RunSummary:
    try:
        return RunSummary.model_validate_json(files.read_text(path))
    except ValidationError as error:
        raise UserError(
            f"{path}: not the record of a run ({first_problem(error)}); expected the JSON that "
            f"`hpatches run` writes. Move the file out of the folder"
        ) from error
