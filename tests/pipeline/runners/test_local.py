"""What the local runner knows its inputs by."""

import os

from pipeline.config.tree import load_config
from pipeline.runners import local


def test_the_content_counts_and_not_the_time(tmp_path):
    path = tmp_path / "tasks" / "v" / "one.csv"
    path.parent.mkdir(parents=True)
    path.write_text("1,2")
    root = str(tmp_path / "tasks")
    first, looked_at = local.fingerprint_of_content(root), local.fingerprint_of_files(root)
    stat = path.stat()
    os.utime(path, ns=(0, 0))
    assert local.fingerprint_of_content(root) == first
    assert local.fingerprint_of_files(root) != looked_at
    path.write_text("1,3")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert local.fingerprint_of_content(root) != first
    assert local.fingerprint_of_files(root) == looked_at
    path.write_text("1,2")
    path.rename(path.with_name("two.csv"))
    assert local.fingerprint_of_content(root) != first


def test_task_files_and_references_are_known_by_content(tmp_path):
    for name in ("tasks", "csv"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.csv").write_text("1")
    given = f"evaluation.references={{paper: {{descriptors: {tmp_path / 'csv'}}}}}"
    config = load_config("demo", [given])

    def fingerprint() -> str:
        return local._fingerprint_of_evaluation(config, str(tmp_path / "tasks"))

    seen = {fingerprint()}
    for name in ("tasks", "csv"):
        path = tmp_path / name / "a.csv"
        stat = path.stat()
        path.write_text("2")
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        seen.add(fingerprint())
    assert len(seen) == 3


def test_a_name_that_is_no_utf_8_is_no_hindrance(tmp_path):
    path = tmp_path / os.fsdecode(b"\xff.txt")
    path.write_text("1")
    before = local.fingerprint_of_files(str(tmp_path))
    path.rename(tmp_path / os.fsdecode(b"\xfe.txt"))
    assert local.fingerprint_of_files(str(tmp_path)) != before
