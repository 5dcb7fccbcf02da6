"""A Beam job whose workers or job server are gone ends with a sentence."""

import os
import socket
from concurrent.futures import ThreadPoolExecutor

import apache_beam as beam
import grpc
import pytest
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc

from components.core import beam_workers
from components.core.beam_runner import DIRECT_RUNNER
from components.core.user_errors import user_errors
from trainer.core.errors import UserError

pytestmark = pytest.mark.skipif(
    not beam.__version__.startswith(beam_workers.VERIFIED),
    reason=f"Beam {beam.__version__}: lost workers are noticed with {beam_workers.VERIFIED}* alone",
)


@pytest.fixture(autouse=True)
def _watched():
    beam_workers.end_jobs_without_workers()


@pytest.fixture
def nowhere():
    """An address where nothing listens."""
    with socket.socket() as bound:
        bound.bind(("localhost", 0))
        yield f"localhost:{bound.getsockname()[1]}"


def _pool(address: str) -> list[str]:
    return [
        "--runner=PortableRunner",
        "--job_endpoint=embed",
        "--environment_type=EXTERNAL",
        f"--environment_config={address}",
    ]


def _run(*options: str, work=str) -> None:
    with user_errors(), beam.Pipeline(argv=list(options)) as pipeline:
        _ = pipeline | beam.Create([1]) | beam.Map(work)


def test_a_pool_that_does_not_answer(nowhere):
    with pytest.raises(UserError, match=f"^beam: no worker pool answers at {nowhere} .*UNAVAIL"):
        _run(*_pool(nowhere))


def test_a_job_server_that_does_not_answer(nowhere):
    with pytest.raises(UserError, match=rf"^beam: no job server answers at {nowhere} within 1 s;"):
        _run("--runner=PortableRunner", f"--job_endpoint={nowhere}", "--job_server_timeout=1")


class SilentPool(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):
    """Says that it starts a worker, and starts none."""

    def StartWorker(self, request, context):  # noqa: N802
        del request, context
        return beam_fn_api_pb2.StartWorkerResponse()


def test_a_worker_that_never_connects(monkeypatch):
    monkeypatch.setattr(beam_workers, "_SECONDS_TO_CONNECT", 0.5)
    server = grpc.server(ThreadPoolExecutor(1))
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(SilentPool(), server)
    address = f"localhost:{server.add_insecure_port('localhost:0')}"
    server.start()
    try:
        with pytest.raises(UserError, match=rf"^beam: a worker of the pool at {address} has not"):
            _run(*_pool(address))
    finally:
        server.stop(0)


@pytest.mark.slow
def test_a_worker_process_that_is_killed():
    with pytest.raises(UserError, match=r"^beam: a worker process ended before its work was done"):
        _run(*_TWO_PROCESSES, work=os._exit)


@pytest.mark.slow
def test_workers_that_live_are_left_alone():
    _run(*_TWO_PROCESSES, work=str)


_TWO_PROCESSES = (
    f"--runner={DIRECT_RUNNER}",
    "--direct_running_mode=multi_processing",
    "--direct_num_workers=2",
)
