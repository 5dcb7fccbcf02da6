"""The stock Pusher component around our executor."""

from __future__ import annotations

from tfx import types
from tfx.components.pusher import component as stock
from tfx.dsl.components.base import executor_spec
from tfx.proto import pusher_pb2

from components.pusher import executor


class Pusher(stock.Pusher):
    """TFX's Pusher: same specification, same gates; only the way of copying differs."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)


def create_pusher(
    model: types.BaseChannel,
    model_blessing: types.BaseChannel,
    infra_blessing: types.BaseChannel,
    destination: str,
    code_fingerprint: str,
    destination_state: str = "",
) -> Pusher:
    """Creates the Pusher, which needs both blessings.

    Args:
        model: The candidate, a `standard_artifacts.Model`.
        model_blessing: The evaluator's verdict.
        infra_blessing: The serving validator's verdict.
        destination: Folder of versions that the model server watches; local or `gs://`.
        code_fingerprint: Fingerprint of the executor's code. The stock Pusher has no
            parameter for it, but its `custom_config` is one: part of the cache key, and
            not read by this executor.
        destination_state: `push_log.destination_state(destination)`, taken before the run,
            so that no cached "pushed" stands for a model that was rolled back or deleted
            meanwhile. "" leaves it out of the cache key.
    """
    return Pusher(
        model=model,
        model_blessing=model_blessing,
        infra_blessing=infra_blessing,
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=destination)
        ),
        custom_config={
            "code_fingerprint": code_fingerprint,
            "destination_state": destination_state,
        },
    )
