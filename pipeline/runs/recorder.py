"""Keeps the record of a run for `hpatches runs` and `hpatches clean`."""

from __future__ import annotations

import hashlib
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from pipeline.config.tree import PipelineConfig
from pipeline.events import Event
from pipeline.runs import records

if TYPE_CHECKING:
    from components.descriptor_evaluator.gate.verdict import Verdict
    from pipeline.runners.local import RunResult

_STATES: dict[str, records.ComponentState] = {
    "started": "failed",  # the run ended before the component did
    "failed": "failed",
    "stopped": "interrupted",
    "cached": "cached",
    "finished": "executed",
}


class RunRecorder:
    """Notes what happens and writes one record when the run is over, however it ended."""

    def __init__(self, config: PipelineConfig, config_name: str):
        """Starts the clock; the configuration has absolute paths."""
        self._config = config
        self._config_name = config_name
        self._started = datetime.now(timezone.utc)
        self._clock = time.monotonic()
        self._events: dict[str, Event] = {}

    def on_event(self, event: Event) -> None:
        """Notes that a component changed its state."""
        self._events[event.component] = event

    def write_failure(self, error: BaseException) -> str:
        """Writes the record of a run that did not come to its end; returns its path."""
        interrupted = isinstance(error, KeyboardInterrupt)
        sentence = "interrupted" if interrupted else (str(error) or repr(error)).splitlines()[0]
        components = tuple(
            records.ComponentRecord(
                name=event.component, state=_STATES[event.kind], seconds=event.seconds
            )
            for event in self._events.values()
        )
        run_id = self._started.strftime("%Y-%m-%dT%H:%M:%S.%f")
        return self._write(run_id, components, {"error": sentence})

    def write_success(
        self,
        result: RunResult,
        verdict: Verdict,
        data_checksum: str,
        pushed_version: int | None,
    ) -> str:
        """Writes the record of a run that came to its end; returns its path."""
        components = tuple(
            records.ComponentRecord(
                name=name,
                state=_STATES[state],
                seconds=self._events[name].seconds if name in self._events else 0.0,
                outputs={
                    key: tuple(artifact.uri for artifact in artifacts)
                    for key, artifacts in result.outputs[name].items()
                },
            )
            for name, state in result.states.items()
        )
        metrics = {
            row.task: row.candidate
            for row in verdict.table
            if (row.noise, row.metric) == ("mean", "ap") and row.candidate == row.candidate
        }
        return self._write(
            result.run_id,
            components,
            {
                "data_checksum": data_checksum,
                "metrics": metrics,
                "blessed": verdict.blessed,
                "reasons": verdict.reasons,
                "pushed_version": pushed_version,
            },
        )

    def _write(
        self, run_id: str, components: tuple[records.ComponentRecord, ...], outcome: dict
    ) -> str:
        resolved = self._config.model_dump_json()
        summary = records.RunSummary(
            run_id=run_id,
            started=self._started,
            seconds=time.monotonic() - self._clock,
            config_name=self._config_name,
            config_checksum=hashlib.sha256(resolved.encode()).hexdigest(),
            components=components,
            push_destination=self._config.push_destination,
            work_dir=self._config.work_dir,
            **outcome,
        )
        return records.record_run(self._config.work_dir, summary)
