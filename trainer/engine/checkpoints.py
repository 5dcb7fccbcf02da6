"""Checkpoints on disk: written under a temporary name, good only with their last file.

Renaming a folder is not atomic on object stores, so a file with the checksums of all the
others, written after the rename, is the mark of a complete checkpoint. What does not agree
with its checksums is never taken: the checkpoint before it is.
"""

from __future__ import annotations

import hashlib
import io
import json
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.core.documents import read_json
from trainer.core.errors import UserError
from trainer.core.files import remove_folder, replace_folder, writing
from trainer.engine.hosts import Hosts
from trainer.engine.learner import Snapshot

_STATE = "state.json"
_MARK = "complete.json"
_PREFIX = "step-"
_TEMPORARY = ".tmp"
_PACKED = "packed"
_DAMAGED = (OSError, ValueError, KeyError, TypeError, AttributeError)  # or other JSON than ours


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds.

    Attributes:
        step: Number of steps of the run so far.
        snapshots: Weights and optimizer slots, by purpose (`learner`, `good`, `best`).
        state: Rest of the run's state, as JSON values.
    """

    step: int
    snapshots: Mapping[str, Snapshot]
    state: Mapping[str, Any]


class CheckpointStore:
    """The last checkpoints of a run in a folder of its own.

    Args:
        folder: Folder of the checkpoints, local or remote.
        keep: Number of checkpoints to keep.
    """

    def __init__(self, folder: str, keep: int = 2) -> None:
        self.folder = folder
        self._keep = keep

    @property
    def packed(self) -> str:
        """Place for the run's packed patches, which are of use for as long as its checkpoints."""
        return self._path(_PACKED)

    def save(self, checkpoint: Checkpoint) -> str:
        """Writes a checkpoint, removes those that are too old, and returns its folder.

        Raises:
            UserError: When it cannot be written; those before it are still there.
        """
        final = self._path(_name(checkpoint.step))
        temporary = final + _TEMPORARY
        contents = _contents(checkpoint)
        checksums = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
        with writing(final):
            if tf.io.gfile.exists(temporary):
                remove_folder(temporary)
            tf.io.gfile.makedirs(temporary)
            for name, data in contents.items():
                _write(posixpath.join(temporary, name), data)
            replace_folder(temporary, final)
            mark = posixpath.join(final, _MARK)
            _write(mark + _TEMPORARY, json.dumps(checksums).encode())
            tf.io.gfile.rename(mark + _TEMPORARY, mark)
            for old in self._names()[: -self._keep]:
                self._remove(old)
        return final

    def restore(self) -> tuple[Checkpoint | None, list[str]]:
        """Reads the newest checkpoint that is whole, and removes what a killed run left half done.

        Returns:
            The checkpoint (None without one) and, for each newer one that was passed over
            although its writer had called it complete, what is wrong with it.
        """
        damaged: list[str] = []
        for name in reversed(self._names()):
            if name.endswith(_TEMPORARY) or not tf.io.gfile.exists(self._path(name, _MARK)):
                self._remove(name)
                continue
            try:
                return self._read(name), damaged
            except (*_DAMAGED, tf.errors.OpError) as error:
                damaged.append(f"{self._path(name)} is damaged ({error})")
                # Were it left, it would count as the newest one again.
                self._remove(name)
        return None, damaged

    def at(self, step: int) -> Checkpoint:
        """Reads the checkpoint of a step, which another host has found to be whole.

        Raises:
            UserError: When it is not there, or not whole.
        """
        path = self._path(_name(step))
        try:
            return self._read(_name(step))
        except (*_DAMAGED, tf.errors.OpError) as error:
            raise UserError(
                f"{path}: cannot be read here, but by the chief of the run ({error}); expected a "
                f"folder of checkpoints that all hosts share"
            ) from error

    def clear(self, *, packed: bool = True) -> None:
        """Removes all checkpoints; then the folder and the one above, each when it is empty.

        Args:
            packed: Whether the packed patches go, too.

        Raises:
            UserError: When something cannot be removed.
        """
        with writing(self.folder):
            for name in self._names():
                self._remove(name)
            if packed and tf.io.gfile.isdir(self.packed):
                remove_folder(self.packed)
            for folder in (self.folder, posixpath.dirname(self.folder)):
                if tf.io.gfile.isdir(folder) and not tf.io.gfile.listdir(folder):
                    remove_folder(folder)

    def __len__(self) -> int:
        """Number of checkpoints that look complete."""
        return sum(tf.io.gfile.exists(self._path(name, _MARK)) for name in self._names())

    def _path(self, *names: str) -> str:
        return posixpath.join(self.folder, *names)

    def _names(self) -> list[str]:
        """Returns the names of all checkpoints, the oldest first, unfinished ones included."""
        if not tf.io.gfile.isdir(self.folder):
            return []
        names = (name.rstrip("/") for name in tf.io.gfile.listdir(self.folder))
        return sorted(name for name in names if name.startswith(_PREFIX))

    def _remove(self, name: str) -> None:
        """Removes a checkpoint; its mark goes first, so that half of one is never taken."""
        mark = self._path(name, _MARK)
        if tf.io.gfile.exists(mark) and not Path(self._path(name)).is_symlink():
            tf.io.gfile.remove(mark)
        remove_folder(self._path(name))

    def _read(self, name: str) -> Checkpoint:
        """Reads one.

        Raises:
            ValueError: When a file is not what the mark says.
        """
        checksums = read_json(_bytes_of(self._path(name, _MARK)))
        contents = {}
        for file, checksum in checksums.items():
            contents[file] = _bytes_of(self._path(name, file))
            if hashlib.sha256(contents[file]).hexdigest() != checksum:
                raise ValueError(f"{file} does not have its checksum")
        described = read_json(contents[_STATE])
        loaded: dict[str, Snapshot] = {}
        for file in set(described["snapshots"].values()):
            loaded[file] = _unpacked(contents[file])
        snapshots = {use: loaded[file] for use, file in described["snapshots"].items()}
        return Checkpoint(described["step"], snapshots, described["state"])


def newest_of_chief(store: CheckpointStore, hosts: Hosts) -> tuple[Checkpoint | None, list[str]]:
    """Returns what `CheckpointStore.restore` returns, on all hosts that of the chief."""
    newest, damaged = store.restore() if hosts.is_chief else (None, [])
    step = hosts.from_chief(newest and newest.step)
    if step is not None and newest is None:
        newest = store.at(step)
    return newest, damaged


def _name(step: int) -> str:
    return f"{_PREFIX}{step:08d}"


def _contents(checkpoint: Checkpoint) -> dict[str, bytes]:
    """Returns the files of a checkpoint; a snapshot with several uses is one file."""
    files: dict[int, str] = {}
    contents: dict[str, bytes] = {}
    for snapshot in checkpoint.snapshots.values():
        if id(snapshot) not in files:
            files[id(snapshot)] = f"snapshot-{len(files)}.npz"
            contents[files[id(snapshot)]] = _packed(snapshot)
    described = {
        "step": checkpoint.step,
        "snapshots": {use: files[id(snapshot)] for use, snapshot in checkpoint.snapshots.items()},
        "state": checkpoint.state,
    }
    # Infinities, which Python's JSON can write and read, are among the controller's values.
    contents[_STATE] = json.dumps(described).encode()
    return contents


def _packed(snapshot: Snapshot) -> bytes:
    arrays = {f"model-{number:04d}": value for number, value in enumerate(snapshot.model)}
    arrays |= {f"optimizer-{number:04d}": value for number, value in enumerate(snapshot.optimizer)}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _unpacked(data: bytes) -> Snapshot:
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        parts = [
            tuple(arrays[name] for name in sorted(arrays) if name.startswith(part))
            for part in ("model-", "optimizer-")
        ]
    return Snapshot(*parts)


def _write(path: str, data: bytes) -> None:
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(data)


def _bytes_of(path: str) -> bytes:
    with tf.io.gfile.GFile(path, "rb") as file:
        return file.read()
