"""A work folder whose metadata database is damaged, lost or put back."""

import sqlite3
from contextlib import closing

import pytest

from pipeline.runs import metadata_db


def _database(path, tables=("Execution",)):
    with closing(sqlite3.connect(path)) as database, database:
        for table in tables:
            database.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT)")
            for _ in range(500):
                database.execute(f"INSERT INTO {table} (x) VALUES ('{'a' * 100}')")


def _next_execution(path):
    with closing(sqlite3.connect(path)) as database, database:
        return database.execute("INSERT INTO Execution (x) VALUES ('')").lastrowid


@pytest.fixture
def work(tmp_path):
    """A work folder whose last execution had the number 600."""
    _database(tmp_path / "metadata.db")
    (tmp_path / "artifacts" / "Transform" / "transform_graph" / "12").mkdir(parents=True)
    (tmp_path / "artifacts" / "DescriptorTrainer" / "model" / "600").mkdir(parents=True)
    # TFX's own notes are numbered otherwise.
    (tmp_path / "artifacts" / "Transform" / ".system" / "kept" / "1795990571478683").mkdir(
        parents=True
    )
    (tmp_path / "artifacts" / "Transform" / "transform_graph" / "x7").mkdir()
    return tmp_path


def _truncated(data):
    return data[: len(data) // 2]


def _garbage(data):
    return bytes(reversed(data))


def _hole(data):
    return data[:8192] + bytes(8192) + data[16384:]


@pytest.mark.parametrize("damage", [_truncated, _garbage, _hole])
def test_a_damaged_one_is_kept_beside_a_new_one_with_higher_numbers(work, damage):
    path = work / "metadata.db"
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    (work / "metadata.db-journal").write_bytes(b"of the damaged one")
    said = metadata_db.prepare(work)
    (aside,) = work.glob("metadata.db.damaged-????????T??????")
    assert aside.read_bytes() == damaged and f"is kept as {aside.name}" in said
    assert not (work / "metadata.db-journal").exists()
    assert metadata_db.problem(path) == ""
    with closing(sqlite3.connect(path)) as database:
        assert ("Execution", 600) in database.execute("SELECT * FROM sqlite_sequence").fetchall()


@pytest.mark.parametrize("lose", [lambda p: p.unlink(), lambda p: p.write_bytes(b"")])
def test_a_lost_one_begins_above_the_folders_that_are_there(work, lose):
    lose(work / "metadata.db")
    assert "was deleted" in metadata_db.prepare(work)
    with closing(sqlite3.connect(work / "metadata.db")) as database:
        assert ("Execution", 600) in database.execute("SELECT * FROM sqlite_sequence").fetchall()


def test_one_that_was_put_back_goes_on_above_newer_folders(work):
    assert metadata_db.prepare(work) == ""
    assert _next_execution(work / "metadata.db") == 601


def test_a_whole_one_and_a_new_folder_are_left_as_they_are(tmp_path):
    assert metadata_db.prepare(tmp_path) == "" and not list(tmp_path.iterdir())
    _database(tmp_path / "metadata.db")
    before = (tmp_path / "metadata.db").read_bytes()
    assert metadata_db.prepare(tmp_path) == ""
    assert (tmp_path / "metadata.db").read_bytes() == before


def test_another_programs_database_is_not_taken_for_ours(tmp_path):
    _database(tmp_path / "metadata.db", ("Cookies",))
    assert "holds no metadata of runs" in metadata_db.prepare(tmp_path)
    assert not (tmp_path / "metadata.db").exists()
