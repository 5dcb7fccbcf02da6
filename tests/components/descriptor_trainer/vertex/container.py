"""Runs the command of a job as Vertex AI would run its container: in a process of its own."""

import signal
import subprocess
import sys
from pathlib import Path

from google.cloud.aiplatform_v1 import CustomJob, JobState
from google.rpc import code_pb2, status_pb2

from tests.support.cloud.fake_vertex import FakeVertex


class Container:
    """The container of the one job that a test starts.

    Args:
        vertex: Its jobs run here from now on.
        folder: For what they print.
        preempt_when: Glob below `folder`; when a file is there, the machine is taken back once
            and the job is started again with the same command.
    """

    def __init__(self, vertex: FakeVertex, folder: Path, preempt_when: str | None = None) -> None:
        self.starts = 0
        self._vertex = vertex
        self._folder = folder
        self._preempt_when = preempt_when
        vertex.on_create = self._create
        vertex.on_cancel = lambda name: self.process.send_signal(signal.SIGTERM)
        vertex.state_of = self._state

    @property
    def log(self) -> str:
        """What the process has printed."""
        return (self._folder / "container.log").read_text()

    def _create(self, job: CustomJob) -> None:
        (pool,) = job.job_spec.worker_pool_specs
        assert list(pool.container_spec.command) == ["python"]
        self._command = [sys.executable, *pool.container_spec.args]
        self._start()

    def _start(self) -> None:
        self.starts += 1
        with (self._folder / "container.log").open("a") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log)

    def _state(self, name: str) -> JobState:
        del name
        if self._preempt_when and any(self._folder.glob(self._preempt_when)):
            self._preempt_when = None
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self._start()
        status = self.process.poll()
        if status is None:
            return JobState.JOB_STATE_RUNNING
        if status:
            message = f"The replica workerpool0-0 exited with a non-zero status of {status}."
            self._vertex.job_error = status_pb2.Status(code=code_pb2.INTERNAL, message=message)
            return JobState.JOB_STATE_FAILED
        return JobState.JOB_STATE_SUCCEEDED
