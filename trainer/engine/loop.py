"""A training run from the examples to the SavedModel."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from trainer.core.config import TrainerConfig
from trainer.core.errors import UserError
from trainer.core.files import make_writable_folder
from trainer.core.variants import TRAIN, VAL
from trainer.curriculum import auto_plan
from trainer.curriculum.auto_plan import Resources
from trainer.data import manifest, packing, stale_dirs
from trainer.data.host_infeed import HostPatches
from trainer.data.image import Normalisation
from trainer.data.manifest import Manifest
from trainer.data.packing import PackedPatches
from trainer.data.plan_points import check_stages, enough_for
from trainer.engine import output_folder, resources, run_identity, strategy
from trainer.engine.checkpoints import CheckpointStore
from trainer.engine.hosts import Hosts
from trainer.engine.learner import Learner
from trainer.engine.output_folder import Existing
from trainer.engine.run import Run
from trainer.engine.run_state import Clock
from trainer.model import export
from trainer.model.names import SERVING_DIR
from trainer.reporting import result
from trainer.reporting.result import TrainingResult
from trainer.reporting.tensorboard import TensorBoardWriter
from trainer.reporting.timeline import Timeline

_TEMPORARY = "packed-"
_UNSEEN = "unseen-"
_COMPARED_POINTS = 16  # 256 patches, on which an export is compared with the trained network

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Folders:
    """Folders that a training run writes.

    Attributes:
        output: Gets `Format-Serving/` (the SavedModel), `training_result.json` and
            `timeline.json`.
        logs: Gets TensorBoard's files.
        checkpoints: Holds the checkpoints, in a folder per run; None: `checkpoints` in `output`.
        packed: Local folder that keeps the packed patches for the next run; None: they lie
            beside the run's checkpoints and go with them, or in a temporary folder where those
            are switched off or not on a local disk.
    """

    output: str
    logs: str
    checkpoints: str | None = None
    packed: str | None = None


def train(
    config: TrainerConfig,
    examples_root: str,
    transform_graph: str | None,
    folders: Folders,
    warm_start: str | None = None,
    *,
    keep_checkpoints: bool = False,
    existing: Existing = "replace",
) -> TrainingResult:
    """Trains a descriptor and exports it.

    A run that was killed goes on from its last checkpoint when it is started again with the
    same data, settings, code and warm start, whose hash names the folder of its checkpoints.
    Where TF_CONFIG names several hosts, each calls this with the same arguments; the first one
    (the chief) alone writes, and all must be able to read the data and the checkpoints.

    Args:
        config: Settings of the run.
        examples_root: Folder with `manifest.json` and the shards of `train` and `val`.
        transform_graph: Output of Transform; None resizes the patches directly.
        folders: Folders to write.
        warm_start: SavedModel to start from, or None.
        keep_checkpoints: Leave them there at the end, for a caller with more to do before the
            run is safe (`forget` deletes them).
        existing: Treatment of an earlier run's work (`trainer.engine.output_folder.Existing`).

    Raises:
        Interrupted: After SIGTERM or Ctrl-C while it took steps, which are saved; or when another
            process of the run is gone.
        UserError: When the data cannot fill the batches, a shard or the warm start is broken,
            the devices asked for are not there, the output folder is another run's, or a folder
            cannot be written.
    """
    clock = Clock()
    _use_threads(config.threads)
    _make_deterministic(config)
    placement = strategy.create(config)
    hosts = Hosts(placement)
    examples = manifest.read(examples_root)
    identity = run_identity.identify(config, examples, transform_graph, warm_start)
    checkpoint_dir = folders.checkpoints or posixpath.join(
        folders.output, output_folder.CHECKPOINTS
    )
    store = CheckpointStore(posixpath.join(checkpoint_dir, identity.hash))

    def finish() -> dict[str, Any]:
        """Exports the network, writes the result and returns it."""
        learnt_from = examples if host_patches else enough
        itself = export.describe_itself(network, config, normalisation, learnt_from, matching)
        model_path = posixpath.join(folders.output, SERVING_DIR)
        export.save(network, normalisation, itself, model_path, reference)
        outcome = run.result(state, identity.hash, model_path)
        result.write(outcome, folders.output)
        if not keep_checkpoints:
            store.clear()
        return dataclasses.asdict(outcome)

    with hosts.loss_told():
        hosts.check_same(identity.hash)
        config, made_for = _planned(config, examples, placement, hosts)
        strategy.check_divisible(config, placement.num_replicas_in_sync)
        check_stages(config.plan, examples)
        enough = enough_for(config.plan, examples, config.seed)
        host_patches = _host_patches(config, examples_root, examples, strategy.hosts(placement))
        ended = hosts.on_chief(
            lambda: _earlier(config, folders, checkpoint_dir, identity, existing, keep_checkpoints)
        )
        if ended is not None:
            return TrainingResult(**ended)
        pack_dir = folders.packed
        if config.checkpoint_every and "://" not in checkpoint_dir:
            pack_dir = pack_dir or store.packed
        with (
            _tidied(store, hosts),
            _own(folders, hosts) as own,
            _folder(pack_dir if hosts.is_chief else None) as folder,
        ):
            train_set = packing.pack(examples_root, TRAIN, transform_graph, folder, enough)
            val_set = packing.pack(examples_root, VAL, transform_graph, folder)
            normalisation = _normalisation(config, train_set)
            here = None if host_patches else resources.resident(train_set, placement)
            learner = Learner(config, placement, normalisation, here)
            if warm_start:
                export.load_weights(learner.model, warm_start)
            # Deletes earlier work: not before all that was given has been found good.
            hosts.on_chief(
                lambda: output_folder.claim(folders.output, checkpoint_dir, identity, existing)
            )
            logs = TensorBoardWriter(own.logs)
            logs.settings(config, identity.hash)
            run = Run(
                learner,
                (train_set, val_set),
                logs,
                Timeline(own.output, logs.writer),
                store,
                clock,
                made_for,
                host_patches,
            )
            state = run.to_the_end(calibrate=not warm_start)
            reference = _reference(learner, val_set if len(val_set) else train_set)
            matching = run.matching_rule()
            network = learner.exported()
        return TrainingResult(**hosts.on_chief(finish))


def forget(run: str, checkpoint_dir: str) -> None:
    """Deletes the checkpoints of a run that nothing can happen to any more.

    Args:
        run: Hash of the run (`TrainingResult.run`).
        checkpoint_dir: As `train` was given it.
    """
    CheckpointStore(posixpath.join(checkpoint_dir, run)).clear()


def _earlier(
    config: TrainerConfig,
    folders: Folders,
    checkpoint_dir: str,
    identity: run_identity.RunIdentity,
    existing: output_folder.Existing,
    keep_checkpoints: bool,
) -> dict[str, Any] | None:
    """Returns the result of this very run, if it has ended before; else makes the folders."""
    if output_folder.is_finished(folders.output, checkpoint_dir, identity, existing):
        outcome = result.read(folders.output)
        if not keep_checkpoints:
            forget(identity.hash, checkpoint_dir)  # left by a kill just behind the result
        return dataclasses.asdict(outcome)
    for written in (folders.output, folders.logs):
        make_writable_folder(written)
    if config.checkpoint_every:
        make_writable_folder(checkpoint_dir)
    return None


def _planned(
    config: TrainerConfig, examples: Manifest, placement: tf.distribute.Strategy, hosts: Hosts
) -> tuple[TrainerConfig, Resources | None]:
    """Returns the settings with a plan, and what it was made for if it was not given."""
    if config.stages != "auto":
        return config, None
    measured = dataclasses.asdict(resources.measure(config, examples, placement))
    made_for = Resources(**hosts.from_chief(measured))
    return auto_plan.resolve(config, made_for), made_for


@contextlib.contextmanager
def _own(folders: Folders, hosts: Hosts) -> Iterator[Folders]:
    """Yields the folders to write into: those given for the chief, others for nobody to see."""
    if hosts.is_chief:
        yield folders
        return
    with stale_dirs.temporary(_UNSEEN) as unseen:
        yield Folders(unseen, posixpath.join(unseen, output_folder.LOGS))


def _host_patches(
    config: TrainerConfig, examples_root: str, examples: Manifest, hosts: int
) -> HostPatches | None:
    """Returns the hosts' shares of the training patches where there are several hosts.

    Raises:
        UserError: When a host's share cannot fill its part of a batch.
    """
    if hosts == 1:
        return None
    patches = HostPatches(examples_root, examples.splits.get(TRAIN, ()), hosts)
    patches.check(config.plan)
    return patches


def _reference(learner: Learner, data: PackedPatches) -> export.Reference:
    """Returns the trained network's descriptors of evenly spread points."""
    points = np.unique(np.linspace(0, len(data) - 1, _COMPARED_POINTS).astype(int))
    patches = data.take_all(points).reshape(-1, *data.patches.shape[2:])
    rounded = learner.config.bfloat16 or resources.device_kind(learner.placement) != "cpu"
    return export.Reference(patches, learner.forward(patches)[1], rounded)


def _normalisation(config: TrainerConfig, data: PackedPatches) -> Normalisation:
    if config.model.normalise == "patch":
        return Normalisation(kind="patch")
    mean, deviation = data.pixel_statistics()
    return Normalisation(kind="dataset", mean=mean, deviation=deviation)


def _use_threads(threads: int) -> None:
    if not threads:
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    except RuntimeError:
        _log.warning("threads: %d is ignored, TensorFlow is already running", threads)


def _make_deterministic(config: TrainerConfig) -> None:
    """Has TensorFlow compute the same bits every time."""
    if config.deterministic:
        tf_keras.utils.set_random_seed(config.seed)
        tf.config.experimental.enable_op_determinism()


@contextlib.contextmanager
def _folder(kept: str | None) -> Iterator[str]:
    """Yields the folder to keep packed patches in, or a temporary one."""
    if kept is not None:
        yield kept
        return
    with stale_dirs.temporary(_TEMPORARY) as temporary:
        yield temporary


@contextlib.contextmanager
def _tidied(store: CheckpointStore, hosts: Hosts) -> Iterator[None]:
    """Leaves nothing of a run that failed before its first checkpoint, if it can be deleted.

    It can hardly be gone on with: what put it right, a setting or a shard, makes it another run.
    """
    try:
        yield
    except Exception:
        with contextlib.suppress(UserError, OSError, tf.errors.OpError):
            if hosts.is_chief and not len(store):
                store.clear()
        raise
