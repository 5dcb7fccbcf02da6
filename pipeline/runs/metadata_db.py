"""Keeps a work folder usable whose metadata database was damaged, lost or put back.

Artifact folders are named after execution ids. A database that counts from a lower number
again would hand a component a folder that is in use.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from components.core import files
from trainer.core.errors import UserError

ARTIFACTS = "artifacts"
METADATA = "metadata.db"
_JOURNALS = ("-journal", "-wal", "-shm")  # SQLite would apply them to the new database
_LARGEST = 2**62
_COUNTER = "UPDATE sqlite_sequence SET seq = MAX(seq, ?) WHERE name = 'Execution'"
_FIRST_COUNTER = (
    "INSERT INTO sqlite_sequence (name, seq) SELECT 'Execution', ? WHERE NOT EXISTS "
    "(SELECT * FROM sqlite_sequence WHERE name = 'Execution')"
)


def prepare(work: Path) -> str:
    """Makes sure that a run can use a work folder's database; call it with the lock held.

    A damaged one is kept beside the new one. Ids begin above those of the folders there.

    Returns:
        What was wrong and what was done, in one sentence; "" when nothing was wrong.

    Raises:
        UserError: When there is something else in its place, or it cannot be read.
    """
    path = work / METADATA
    said = ""
    damage = problem(path)
    if damage:
        aside = path.with_name(f"{METADATA}.damaged-{datetime.now():%Y%m%dT%H%M%S}")
        for suffix in ("", *_JOURNALS):
            if path.with_name(METADATA + suffix).exists():
                path.with_name(METADATA + suffix).rename(aside.with_name(aside.name + suffix))
        said = f"{path}: {damage}; it is kept as {aside.name}, a new one begins"
    last = _last_execution(work / ARTIFACTS)
    if not last:
        return said and f"{said}."
    if not path.exists() or not path.stat().st_size:
        said = said or f"{path}: is empty or was deleted; a new one begins"
        _store(str(path), create=True)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(_COUNTER, (last,))
        database.execute(_FIRST_COUNTER, (last,))
    return said and f"{said}, and what was done before is done again."


def open_store(work_dir: str) -> Any:
    """Opens `<work>/metadata.db`; None where there is none (remote work folders have none).

    Raises:
        UserError: When it is damaged.
    """
    path = files.join(work_dir, METADATA)
    if files.is_remote(path) or not files.exists(path):
        return None
    if damage := problem(Path(path)):
        raise UserError(
            f"{path}: {damage}; run the pipeline in this folder, which begins a new one beside it, "
            "and clean then"
        )
    return _store(path, create=False)


def problem(path: Path) -> str:
    """Returns how a database is damaged; "" when it is whole, empty or not there.

    Raises:
        UserError: When it is no file or cannot be read.
    """
    if not path.exists():
        return ""
    if not path.is_file():
        raise UserError(f"{path}: found a folder, expected the metadata database; move it away")
    try:
        with closing(sqlite3.connect(path)) as database:
            (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    except sqlite3.OperationalError as error:
        raise UserError(
            f"{path}: cannot be read ({error}); expected a database that this user may read and "
            "write and that no other program holds"
        ) from error
    except sqlite3.DatabaseError as error:
        return f"is damaged ({error})"
    if found != "ok":
        return f"is damaged ({found.splitlines()[-1]})"
    return "holds no metadata of runs" if tables and "Execution" not in tables else ""


def _last_execution(artifacts: Path) -> int:
    """Returns the highest number of a `<Component>/<output>/<number>` folder; 0: none."""
    numbers = (int(path.name) for path in artifacts.glob("*/*/*") if path.name.isdecimal())
    return max((number for number in numbers if number <= _LARGEST), default=0)


def _store(path: str, create: bool) -> Any:
    # Late import: it loads TensorFlow's libraries.
    from ml_metadata.metadata_store import metadata_store
    from ml_metadata.proto import metadata_store_pb2

    modes = metadata_store_pb2.SqliteMetadataSourceConfig
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = path
    config.sqlite.connection_mode = modes.READWRITE_OPENCREATE if create else modes.READWRITE
    return metadata_store.MetadataStore(config)
