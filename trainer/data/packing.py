"""Packs ExampleGen's shards once into memory-mapped 32 x 32 patches.

Sampling is then index arithmetic on one uint8 array [N, 16, 32, 32], ordered by
(image sequence, index). The array is keyed by the content of the shards and of the
Transform graph, and written under a temporary name that is renamed when it is whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import mmap
import posixpath
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
import tensorflow as tf

from trainer.core.errors import UserError
from trainer.core.files import walk
from trainer.core.progress import report
from trainer.core.variants import VARIANTS, SplitName
from trainer.data import manifest, records, resizing, stale_dirs
from trainer.data.resizing import PACKED_SHAPE, Resizer

_FORMAT = "1"
_BATCH = 64
_READ = 128

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PackedPatches:
    """The patches of one split, ready to be sampled.

    Attributes:
        patches: uint8 [N, 16, 32, 32] (memory-mapped), ordered by (sequence, index).
        sequence: int32 [N], place in `sequences`.
        scene: int32 [N], place in `scenes`.
        index: int32 [N], number of the point in its image sequence.
        sequences: Names of the image sequences, sorted.
        scenes: Names of the scenes, sorted.
        kinds: Kind of each image sequence.
    """

    patches: np.ndarray
    sequence: np.ndarray
    scene: np.ndarray
    index: np.ndarray
    sequences: tuple[str, ...]
    scenes: tuple[str, ...]
    kinds: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.patches)

    def take(self, points: np.ndarray, variants: np.ndarray) -> np.ndarray:
        """Copies patches.

        Args:
            points: int [S].
            variants: int [S, K], places in `VARIANTS`.

        Returns:
            uint8 [S*K, 32, 32], the K of a point next to each other.
        """
        taken = np.empty((*variants.shape, *self.patches.shape[2:]), np.uint8)
        for part in _parts(len(points)):
            taken[part] = _mapped_anew(self.patches)[points[part, None], variants[part]]
        return taken.reshape(-1, *self.patches.shape[2:])

    def take_all(self, points: np.ndarray) -> np.ndarray:
        """Copies all variants of points, uint8 [S, 16, 32, 32]."""
        everything = np.broadcast_to(np.arange(len(VARIANTS)), (len(points), len(VARIANTS)))
        return self.take(points, everything).reshape(-1, *self.patches.shape[1:])

    def pixel_statistics(self) -> tuple[float, float]:
        """Mean and standard deviation of all pixels, in grey levels (streamed)."""
        histogram = np.zeros(256, np.int64)
        for part in _parts(len(self)):
            histogram += np.bincount(_mapped_anew(self.patches)[part].ravel(), minlength=256)
        levels = np.arange(256)
        mean = float(histogram @ levels / histogram.sum())
        variance = float(histogram @ (levels - mean) ** 2 / histogram.sum())
        return mean, max(variance, 1e-12) ** 0.5


def _parts(count: int) -> Iterator[slice]:
    """Returns the parts of `count` points to read through one map."""
    return (slice(start, start + _READ) for start in range(0, count, _READ))


def _mapped_anew(patches: np.ndarray) -> np.ndarray:
    """Maps a file once more, so that what is read leaves the process with the new map.

    Otherwise the process would grow to the size of the data. The system keeps the pages
    cached while it has room; that they have to be mapped again costs some microseconds per
    point, far less than a step takes, however large the file.
    """
    if not isinstance(patches, np.memmap) or not isinstance(patches.base, mmap.mmap):
        return patches  # in memory, or a view, whose offset in the file is not known
    try:
        anew = np.memmap(patches.filename, patches.dtype, "r", patches.offset, patches.shape)
    except OSError:  # deleted meanwhile: the first map still holds it
        return patches
    return np.asarray(anew)


def pack(
    examples_root: str,
    split: SplitName,
    transform_graph: str | None,
    cache_dir: str,
    listing: manifest.Manifest | None = None,
) -> PackedPatches:
    """Packs a split, or maps what an earlier call with the same content packed.

    What is damaged there is packed again; what a process of this machine that died while it
    packed the same has left half done is deleted.

    Args:
        examples_root: Folder with `manifest.json` and the shards (may be remote).
        split: Name of the split: train, val or eval.
        transform_graph: Output of Transform, whose graph then resizes the patches; None
            resizes directly. Both give the same bytes.
        cache_dir: Local folder for the packed arrays.
        listing: What to pack of the folder; by default, all that its manifest lists.

    Raises:
        UserError: When a shard cannot be read or does not hold what the manifest says, or the
            packed patches cannot be written or read.
    """
    if "://" in cache_dir:
        raise UserError(
            f"{cache_dir}: packed patches are memory-mapped; expected a folder on a local disk"
        )
    listing = listing or manifest.read(examples_root)
    key = _key(listing, split, transform_graph)
    folder = Path(cache_dir) / f"{split}-{key[:24]}"
    unfinished = f"{folder.name}.tmp-"
    stale_dirs.remove_stale(folder.parent, unfinished)
    packed = _open(folder, listing, split)
    if packed is None:
        resize = resizing.resizer(transform_graph)
        temporary = folder.with_name(unfinished + stale_dirs.process())
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            if folder.is_dir():
                shutil.rmtree(folder)
            temporary.mkdir(parents=True)
            _write(listing, examples_root, split, resize, temporary)
            with contextlib.suppress(OSError):
                temporary.rename(folder)  # unless another process was faster
            if not folder.is_dir():
                raise OSError(f"{temporary} cannot be renamed to {folder}")
        except OSError as error:
            raise UserError(f"{temporary}: packing the {split} patches failed ({error})") from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        packed = _open(folder, listing, split)
        if packed is None:
            raise UserError(
                f"{folder}: cannot be read although it has just been written; expected a sound "
                f"disk, delete the folder and run again"
            )
    return packed


def _key(listing: manifest.Manifest, split: SplitName, graph: str | None) -> str:
    digest = hashlib.sha256(_FORMAT.encode())
    for entry in listing.splits.get(split, ()):
        digest.update(f"{entry.name}/{entry.scene}/{entry.count}/{entry.checksum}\n".encode())
    folder = resizing.graph_folder(graph) if graph else ""
    files = sorted(walk(folder)) if graph else []
    if graph and not files:
        raise UserError(
            f"{folder}: there is no Transform graph; expected the output of the pipeline's "
            f"Transform"
        )
    for path in files:
        digest.update(path.rpartition("transform_fn")[2].encode())
        with tf.io.gfile.GFile(path, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def _write(
    listing: manifest.Manifest,
    root: str,
    split: SplitName,
    resize: Resizer,
    folder: Path,
) -> None:
    """Streams the shards of a split into the array of a packed folder.

    Written as a file, not through a map: a full disk is then an error and not a signal that
    ends the process, and no written page counts as memory of the process.
    """
    total = listing.count(split)
    with open(folder / "patches.npy", "wb") as file:
        shape = (total, *PACKED_SHAPE)
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        _write_patches(listing, root, split, resize, file)


def _write_patches(
    listing: manifest.Manifest,
    root: str,
    split: SplitName,
    resize: Resizer,
    file: BinaryIO,
) -> None:
    total = listing.count(split)
    place = 0
    for entry in listing.splits.get(split, ()):
        digest = hashlib.sha256()
        end = place + entry.count
        for path in (posixpath.join(root, shard) for shard in entry.shards):
            for first, batch in _batches(path):
                if place + len(batch) > end:
                    raise _not_as_listed(root, entry)
                for record in batch:
                    digest.update(record)
                file.write(resizing.resized(resize, batch, path, first).tobytes())
                place += len(batch)
                report(f"packing {split} patches", place, total)
        if place != end or digest.hexdigest() != entry.checksum:
            raise _not_as_listed(root, entry)


def _batches(path: str) -> Iterator[tuple[int, list[bytes]]]:
    """Yields (number of the first record, serialized records) of one shard."""
    number = 0
    serialized = records.read_serialized(path)
    while batch := list(islice(serialized, _BATCH)):
        yield number, batch
        number += len(batch)


def _not_as_listed(root: str, entry: manifest.SequenceEntry) -> UserError:
    """Returns the error that says what an image sequence's shards hold instead."""
    if not entry.shards:
        return UserError(
            f"{posixpath.join(root, manifest.FILE_NAME)}: lists no shard of {entry.name}, whose "
            f"count ({entry.count}) and checksum are not those of nothing; delete the run's "
            f"examples and run again"
        )
    paths = [posixpath.join(root, shard) for shard in entry.shards]
    count = 0
    for path in paths:
        for number, record in enumerate(records.read_shard(path)):
            count += 1
            if (record.sequence, record.scene) != (entry.name, entry.scene):
                return UserError(
                    f"{path}: record {number} is of {record.sequence} (scene {record.scene}), "
                    f"expected {entry.name} (scene {entry.scene}); delete the run's examples "
                    f"and run again"
                )
    differs = "their checksum differs" if count == entry.count else f"{count} were found"
    return UserError(
        f"{paths[-1]}: the records of {entry.name} are not the {entry.count} that the manifest "
        f"lists ({differs}); delete the run's examples and run again"
    )


def _open(folder: Path, listing: manifest.Manifest, split: SplitName) -> PackedPatches | None:
    """Maps a packed folder; returns None when there is none, or one that is damaged.

    Raises:
        UserError: When it must not be read.
    """
    if not folder.is_dir():
        return None
    entries, total = listing.splits.get(split, ()), listing.count(split)
    if not total:
        return columns(entries, np.zeros((0, *PACKED_SHAPE), np.uint8))
    path = folder / "patches.npy"
    try:
        patches = np.lib.format.open_memmap(path, mode="r")
        if patches.dtype != np.uint8 or patches.shape != (total, *PACKED_SHAPE):
            raise ValueError(f"it holds {patches.dtype} {list(patches.shape)}")
    except (ValueError, EOFError, FileNotFoundError) as error:  # e.g. it is too short
        _log.warning("%s is damaged (%s), the %s patches are packed again", path, error, split)
        return None
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error}); make it readable or delete it"
        ) from error
    return columns(entries, patches)


def columns(entries: tuple[manifest.SequenceEntry, ...], patches: np.ndarray) -> PackedPatches:
    """Puts the names and numbers of the image sequences beside their patches.

    Args:
        entries: In the order of the patches.
        patches: uint8 [N, 16, 32, 32].
    """
    scenes = sorted({entry.scene for entry in entries})
    places = {scene: place for place, scene in enumerate(scenes)}
    counts = [entry.count for entry in entries]
    indices = [np.arange(count, dtype=np.int32) for count in counts]
    return PackedPatches(
        patches=patches,
        sequence=np.repeat(np.arange(len(entries), dtype=np.int32), counts),
        scene=np.repeat(np.array([places[entry.scene] for entry in entries], np.int32), counts),
        index=np.concatenate([np.zeros(0, np.int32), *indices]),
        sequences=tuple(entry.name for entry in entries),
        scenes=tuple(scenes),
        kinds=tuple(entry.kind for entry in entries),
    )
