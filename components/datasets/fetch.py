"""Fetches a data set: from the first home that gives it into a folder, whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from components.core import files
from components.datasets import archives, layout
from components.datasets.catalogue import Dataset, Home
from components.datasets.download import MB, HomeError, download
from trainer.core.errors import UserError
from trainer.core.progress import report

_BLOCK = 1 << 22


@dataclass(frozen=True)
class Fetched:
    """A data set that has been fetched.

    Attributes:
        folder: Where it lies.
        contents: What was found in it, in words.
        origin: Address or file that it came from.
        unchecked: SHA-256 of an archive for which no checksum is published; "" if one was checked.
    """

    folder: str
    contents: str
    origin: str
    unchecked: str


def fetch(
    dataset: Dataset,
    output: str,
    archive: str | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Fetched:
    """Downloads, unpacks and checks a data set.

    What has been downloaded stays beside the output, hidden, until the data set is whole there:
    the same call goes on with it after an error that may pass.

    Args:
        dataset: Which one.
        output: New or empty local folder for it.
        archive: File to unpack instead of downloading one.
        pause: As for `download`.

    Raises:
        UserError: When no home gives the right file, the archive is not what it should be, or
            the disk refuses.
    """
    if files.is_remote(output):
        raise UserError(f"--output: found {output}, expected a local folder")
    files.check_new_folder(output)
    files.check_folder("--output", output)
    target = Path(output).expanduser().absolute()
    with _work_folder(target) as work:
        unpacked = work / "unpacked"
        shutil.rmtree(unpacked, ignore_errors=True)  # of a process that was killed
        if archive is not None:
            source, origin = _given(archive), archive
            unchecked = _check_given(dataset, source)
        else:
            source, home = _downloaded(dataset, work, pause)
            origin, unchecked = home.url, "" if home.checksum else _digest(source, "sha256")
        try:
            unpacked.mkdir()
            archives.unpack(source, unpacked, dataset.name)
            root = layout.root_of(unpacked)
            contents = layout.check(root, dataset)
        except UserError as error:
            if archive is None and not _may_pass(error):
                source.unlink()
            told = str(error).replace(f"{unpacked}/", "").replace(str(unpacked), output)
            raise UserError(told.replace(str(source), origin)) from error
        with files.told_unwritable(output):
            if target.exists():
                target.rmdir()
            root.rename(target)
        shutil.rmtree(work, ignore_errors=True)
    return Fetched(output, contents, origin, unchecked)


@contextlib.contextmanager
def _work_folder(target: Path) -> Iterator[Path]:
    """Yields a hidden folder beside the target, for one process at a time.

    It goes at the end unless something in it is worth to go on with.
    """
    work = target.with_name(f".{target.name}.fetch")
    made = [folder for folder in target.parents if not folder.exists()]
    with files.told_unwritable(str(target)):
        work.mkdir(parents=True, exist_ok=True)
    try:
        with (work / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                made = []
                raise UserError(
                    f"{target}: another `hpatches fetch` is at work there; wait for it"
                ) from None
            try:
                yield work
            finally:
                shutil.rmtree(work / "unpacked", ignore_errors=True)
                if work.is_dir() and not any(work.glob("*.part")):
                    shutil.rmtree(work, ignore_errors=True)
    except BaseException:
        for folder in made:
            with contextlib.suppress(OSError):  # not empty: there is something to go on with
                folder.rmdir()
        raise


def _downloaded(dataset: Dataset, work: Path, pause: Callable[[float], None]) -> tuple[Path, Home]:
    """Returns the archive, and the home that gave it.

    Raises:
        UserError: When none did.
    """
    problems = []
    for home in dataset.homes:
        place = hashlib.sha256(home.url.encode()).hexdigest()[:8]
        path = work / f"{place}-{home.file_name}.part"
        try:
            download(home, path, dataset.name, pause)
            _check_download(home, path)
            return path, home
        except HomeError as error:
            problems.append(f"{home.url} {error}")
    kept = sum(path.stat().st_size for path in work.glob("*.part"))
    more = f" ({kept / MB:,.0f} MB are kept, and the same command goes on)" if kept else ""
    raise UserError(
        f"{dataset.name}: no home gives it: {'; '.join(problems)}; try again later{more}, or "
        f"without a network download one of these files elsewhere and name it with --archive FILE"
    )


def _check_download(home: Home, path: Path) -> None:
    """Deletes a file that is not the right one.

    Raises:
        HomeError: When it is so.
    """
    wrong = ""
    if home.bytes not in (None, path.stat().st_size):
        wrong = f"gave {path.stat().st_size} bytes, expected {home.bytes}"
    elif home.checksum is not None:
        algorithm, expected = home.checksum
        actual = _digest(path, algorithm)
        if actual != expected:
            wrong = f"gave a file with {algorithm} {actual}, expected {expected}"
    elif not archives.is_archive(path):
        wrong = "gave something that is no archive"
    if wrong:
        path.unlink()
        raise HomeError(wrong)


def _given(archive: str) -> Path:
    path = Path(archive).expanduser()
    if not path.is_file():
        raise UserError(f"--archive: found no file {archive}, expected a downloaded archive")
    return path


def _check_given(dataset: Dataset, path: Path) -> str:
    """Compares a given archive with the homes' checksums; returns its own if none is known.

    Raises:
        UserError: When all of them are known and it has none of them.
    """
    digests = {algorithm: _digest(path, algorithm) for algorithm in ("sha256", "md5")}
    known = [home.checksum for home in dataset.homes if home.checksum]
    if any(digests[algorithm] == expected for algorithm, expected in known):
        return ""
    if len(known) == len(dataset.homes):
        raise UserError(
            f"--archive: {path} has sha256 {digests['sha256']}, which is none of the published "
            f"archives of {dataset.name}; download it again"
        )
    return digests["sha256"]


def _digest(path: Path, algorithm: str) -> str:
    """Returns the checksum of a file, hexadecimal."""
    whole, done = path.stat().st_size, 0
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            done += len(block)
            report(f"checking {path.name.removesuffix('.part')}, MB", done // MB, -(-whole // MB))
    return digest.hexdigest()


def _may_pass(error: UserError) -> bool:
    """Whether the disk is to blame, and not the archive."""
    return bool(getattr(error.__cause__, "errno", None)) or isinstance(error, archives.SpaceError)
