"""Says when Beam's workers or its job server are gone; Beam's own runner would wait for ever.

The runner for one machine (`beam_runner.DIRECT_RUNNER`) also does the work behind
`--job_endpoint=embed`, with workers from a pool elsewhere, and behind
`--direct_running_mode=multi_processing`. It notices the end of a worker's connection in a thread
of its own and goes on waiting for what that worker was given.
"""

from __future__ import annotations

import threading
from typing import Any

from trainer.core.errors import UserError

VERIFIED = "2.59."  # of Beam; what is taken here is private, and does not work in 2.77
_SECONDS_TO_CONNECT = 600.0  # of a worker that was started; it imports Beam first
_SECONDS_BETWEEN_LOOKS = 0.5


def end_jobs_without_workers() -> None:
    """Makes a Beam job of this process fail with a sentence once a worker of it is lost.

    Likewise when a worker pool (`--environment_type=EXTERNAL`) or a job server
    (`--job_endpoint=HOST:PORT`) does not answer. Jobs on a job server are watched by that.
    With other versions of Beam than `VERIFIED` nothing is changed.
    """
    import apache_beam

    if not apache_beam.__version__.startswith(VERIFIED):
        return
    import grpc
    from apache_beam.portability import common_urns, python_urns
    from apache_beam.portability.api import beam_runner_api_pb2
    from apache_beam.runners.portability import job_server
    from apache_beam.runners.portability.fn_api_runner import worker_handlers

    external = common_urns.environments.EXTERNAL.urn
    register = worker_handlers.WorkerHandler.register_environment

    @register(external, beam_runner_api_pb2.ExternalPayload)
    class PoolWorker(_Watched, worker_handlers.ExternalWorkerHandler):
        def start_worker(self) -> None:
            try:
                super().start_worker()
            except grpc.RpcError as error:
                raise UserError(
                    f"beam: no worker pool answers at {self._pool} ({error.code().name}); start "
                    f"it there or correct --environment_config, and run again"
                ) from error
            self._watch()

        @property
        def _pool(self) -> str:
            return self._external_payload.endpoint.url

        def _lost(self) -> str:
            return (
                f"beam: a worker of the pool at {self._pool} was lost before its work was done "
                f"(killed, out of memory, or no longer reached); read the pool's log, start the "
                f"pool again if it is gone, and run again"
            )

        def _silent(self) -> str:
            return (
                f"beam: a worker of the pool at {self._pool} has not connected to "
                f"{self.control_address} in {_SECONDS_TO_CONNECT:.0f} s; that name must lead to "
                f"this machine from there; read the pool's log and run again"
            )

    @register(python_urns.SUBPROCESS_SDK, bytes)
    class ProcessWorker(_Watched, worker_handlers.SubprocessSdkWorkerHandler):
        def start_worker(self) -> None:
            super().start_worker()
            self._watch()

        def _lost(self) -> str:
            return (
                "beam: a worker process ended before its work was done (killed, or out of "
                "memory); run again, with fewer workers (--direct_num_workers) if memory is short"
            )

        def _silent(self) -> str:
            return (
                f"beam: a worker process was started and has not answered in "
                f"{_SECONDS_TO_CONNECT:.0f} s; run again"
            )

    class JobServer(job_server.ExternalJobServer):
        def start(self) -> Any:
            try:
                return super().start()
            except grpc.FutureTimeoutError as error:
                raise UserError(
                    f"beam: no job server answers at {self._endpoint} within {self._timeout} s; "
                    f"start it there or correct --job_endpoint, and run again"
                ) from error

    job_server.ExternalJobServer = JobServer


class _Watched:
    """Beam's handle of a worker, with a thread that answers for the worker when it is gone."""

    control_conn: Any

    def _watch(self) -> None:
        self._watch_ended = threading.Event()
        threading.Thread(target=self._answer_for_it, name="beam-worker-watch", daemon=True).start()

    def _answer_for_it(self) -> None:
        waited = 0.0
        while not self._watch_ended.wait(_SECONDS_BETWEEN_LOOKS):
            reader = self.control_conn._read_thread
            if reader.ident is None:  # not connected yet
                waited += _SECONDS_BETWEEN_LOOKS
                if waited >= _SECONDS_TO_CONNECT:
                    self._answer(self._silent())
            elif not reader.is_alive():
                self._answer(self._lost())

    def _answer(self, sentence: str) -> None:
        """Answers all that the worker was asked, now and after the last look."""
        from apache_beam.portability.api import beam_fn_api_pb2

        # As a worker's own `UserError` would read.
        error = f"Lost:\n{UserError.__module__}.{UserError.__name__}: {sentence}"
        asked = self.control_conn._futures_by_id
        for key in list(asked):
            asked.pop(key).set(beam_fn_api_pb2.InstructionResponse(instruction_id=key, error=error))

    def close(self) -> None:
        """Ends the worker."""
        if hasattr(self, "_watch_ended"):
            self._watch_ended.set()
        super().close()  # type: ignore[misc]

    def _lost(self) -> str:
        raise NotImplementedError

    def _silent(self) -> str:
        raise NotImplementedError
