"""Batches for a strategy of several hosts: each packs its share of the data and draws from it.

A single coordinator drives the hosts of a TPU pod, and no Python runs on them. What a host
has to do is therefore said in TensorFlow operations that are placed on it: read the shards
of its image sequences, resize the patches, keep them in its memory, gather the batches.
The coordinator sends rows of numbers only, those that `trainer.data.batches.Sampler` draws.

Scenes are dealt out whole, so that no two image sequences of one scene meet in a batch
though the hosts know nothing of each other.
"""

from __future__ import annotations

import posixpath
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import tensorflow as tf

from trainer.core.config import StageConfig
from trainer.core.errors import UserError
from trainer.data import records
from trainer.data.batches import Sampler, SamplerState
from trainer.data.manifest import SequenceEntry
from trainer.data.packing import PackedPatches, columns
from trainer.data.resizing import PACKED_SHAPE, patches_from_bytes

_HOST_STREAM = 2
_READ = 64  # records resized at a time
_CHUNK = 64  # blocks whose rows are sent at a time


def share_out(entries: Sequence[SequenceEntry], hosts: int) -> list[tuple[SequenceEntry, ...]]:
    """Deals the image sequences out, whole scenes at a time, so that the shares are about equal;
    each is sorted by name.

    The largest scene goes first, each to the host that has least so far.

    Raises:
        UserError: When there are fewer scenes than hosts.
    """
    counts: dict[str, int] = {}
    for entry in entries:
        counts[entry.scene] = counts.get(entry.scene, 0) + entry.count
    if len(counts) < hosts:
        raise UserError(
            f"the training data has {len(counts)} scenes for {hosts} hosts, and a scene cannot "
            f"be divided among them; use a smaller slice or more data"
        )
    loads = [0] * hosts
    owner: dict[str, int] = {}
    for scene in sorted(counts, key=lambda name: (-counts[name], name)):
        owner[scene] = loads.index(min(loads))
        loads[owner[scene]] += counts[scene]
    by_name = sorted(entries, key=lambda entry: entry.name)
    return [
        tuple(entry for entry in by_name if owner[entry.scene] == host) for host in range(hosts)
    ]


class HostPatches:
    """The patches of the train split, each host's share in the memory of that host.

    Args:
        examples_root: Folder of the shards; every host must be able to read it.
        entries: Image sequences of the split.
        hosts: Number of hosts.

    Attributes:
        hosts: Number of hosts.
        shares: Packed data of each host's sampler, without the pixels.
    """

    def __init__(self, examples_root: str, entries: Sequence[SequenceEntry], hosts: int) -> None:
        self.hosts = hosts
        self._root = examples_root
        self._entries = share_out(entries, hosts)
        self.shares = [_without_pixels(share) for share in self._entries]
        self._loaded: dict[int, tf.Tensor] = {}

    def check(self, plan: Sequence[StageConfig]) -> None:
        """Refuses a plan whose batches a host's share cannot fill.

        Raises:
            UserError: When it is so; the sentence names the stage's value.
        """
        for stage in plan:
            for host in range(self.hosts):
                self.sampler(host, stage, SamplerState(0))

    def sampler(self, host: int, stage: StageConfig, state: SamplerState) -> Sampler:
        """Returns what draws a host's part of a stage's batches."""
        return Sampler.of(self.shares[host], stage, state, self.hosts)

    def pixels(self, host: int) -> tf.Tensor:
        """Returns a host's patches, uint8 [N*16, 32, 32], read at the first call.

        To be called where the operations are placed on that host.

        Raises:
            tf.errors.OpError: When a shard cannot be read.
            UserError: When the shards do not hold as many records as the manifest lists.
        """
        if host not in self._loaded:
            shards = [
                posixpath.join(self._root, shard)
                for entry in self._entries[host]
                for shard in entry.shards
            ]
            self._loaded[host] = _load(shards, len(self.shares[host]))
        return self._loaded[host]


def _load(shards: list[str], count: int) -> tf.Tensor:
    def resize(serialized: tf.Tensor) -> tf.Tensor:
        features = tf.io.parse_example(serialized, records.feature_spec())
        return tf.saturate_cast(patches_from_bytes(features[records.PATCHES]), tf.uint8)

    resized = tf.data.TFRecordDataset(shards).batch(_READ).map(resize)
    patches = resized.rebatch(count + 1).take(1).get_single_element()
    if patches.shape[0] != count:
        held = f"more than {count}" if patches.shape[0] > count else str(patches.shape[0])
        raise UserError(
            f"{posixpath.dirname(shards[0])}: {held} records were found in {len(shards)} shards "
            f"where the manifest lists {count}; delete the run's examples and run again"
        )
    return tf.reshape(patches, [-1, *PACKED_SHAPE[1:]])


def _without_pixels(entries: tuple[SequenceEntry, ...]) -> PackedPatches:
    total = sum(entry.count for entry in entries)
    nothing = np.broadcast_to(np.uint8(0), (total, *PACKED_SHAPE))  # takes no memory
    return columns(entries, nothing)


class HostInfeed:
    """Blocks of batches from all hosts, in the way of `trainer.data.infeed.Infeed`.

    Args:
        placement: Strategy of the run.
        patches: Patches of all hosts.
        stage: Stage to draw for; its S is that of the global batch.
        block: Batches in a block.
        state: Where to go on; its position counts batches since the stage began and its epoch
            sets the stages apart.

    Raises:
        UserError: When a host's share cannot fill its part of a batch.
    """

    def __init__(
        self,
        placement: tf.distribute.Strategy,
        patches: HostPatches,
        stage: StageConfig,
        block: int,
        state: SamplerState,
    ) -> None:
        self.waited = 0.0
        self.state = state
        self._placement = placement
        self._patches = patches
        self._block = block
        self._replicas = placement.num_replicas_in_sync
        self._samplers = [
            patches.sampler(host, stage, SamplerState(host_seed(state, host)))
            for host in range(patches.hosts)
        ]
        for _ in range(state.position):
            self._draw()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="host-infeed")
        self._blocks: list[list[SamplerState]] = []  # the samplers' states before and after each
        self._ahead: Future[tuple[np.ndarray, list[list[SamplerState]]]] | None = None

    def take(self, steps: int, ahead: int) -> tf.distribute.DistributedValues:
        """Returns a block: for each replica uint8 [block, S*K / replicas, 32, 32].

        Args:
            steps: Batches of it that will be used; the next block begins after them.
            ahead: Not needed, as the hosts read ahead by themselves.
        """
        del ahead
        started = time.perf_counter()
        if len(self._blocks) < 2:
            self._send()
        batches = next(self._iterator)
        self.waited += time.perf_counter() - started
        before = self._blocks.pop(0)
        self.state = replace(self.state, position=self.state.position + steps)
        if steps < self._block:
            self._go_back(before, steps)
        return batches

    def __enter__(self) -> HostInfeed:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the thread."""
        self._thread.shutdown(wait=True)

    def _draw(self) -> np.ndarray:
        """Returns the next batch of every host, int32 [hosts, S/hosts * K], as rows of patches."""
        return np.stack([sampler.rows() for sampler in self._samplers])

    def _draw_chunk(self) -> tuple[np.ndarray, list[list[SamplerState]]]:
        """Returns rows int32 [chunk, block, hosts, S/hosts * K] and the states between blocks."""
        states = [[sampler.state for sampler in self._samplers]]
        blocks = []
        for _ in range(_CHUNK):
            blocks.append([self._draw() for _ in range(self._block)])
            states.append([sampler.state for sampler in self._samplers])
        return np.array(blocks, np.int32), states

    def _send(self) -> None:
        """Gives the hosts the rows of the next blocks, and draws those after them."""
        drawn = self._ahead or self._thread.submit(self._draw_chunk)
        rows, self._blocks = drawn.result()
        self._ahead = self._thread.submit(self._draw_chunk)
        distributed = self._placement.distribute_datasets_from_function(
            lambda context: self.dataset(rows, context)
        )
        self._iterator = iter(distributed)

    def _go_back(self, states: list[SamplerState], steps: int) -> None:
        """Continues `steps` batches after a block's beginning, in a block of its own."""
        if self._ahead is not None:
            self._ahead.result()
        self._ahead, self._blocks = None, []
        for sampler, state in zip(self._samplers, states, strict=True):
            sampler.state = state
        for _ in range(steps):
            self._draw()

    def dataset(self, rows: np.ndarray, context: tf.distribute.InputContext) -> tf.data.Dataset:
        """Returns what one host reads: its replicas' blocks, one after the other.

        Args:
            rows: int32 [blocks, block, hosts, S/hosts * K].
            context: Which host; the operations are placed on it.
        """
        host = context.input_pipeline_id
        local = self._replicas // context.num_input_pipelines
        mine = rows[:, :, host].reshape(len(rows), self._block, local, -1)
        mine = np.ascontiguousarray(mine.swapaxes(1, 2)).reshape(-1, self._block, mine.shape[-1])
        pixels = self._patches.pixels(host)
        dataset = tf.data.Dataset.from_tensor_slices(mine)
        return dataset.map(lambda row: tf.gather(pixels, row)).prefetch(2 * local)


def host_seed(state: SamplerState, host: int) -> int:
    """Returns the seed of a host's sampler in a stage."""
    rng = np.random.default_rng([state.seed, _HOST_STREAM, state.epoch, host])
    return int(rng.integers(2**31))
