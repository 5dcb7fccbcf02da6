"""What an image's file system must not hold, on made-up ones."""

from pathlib import Path

import pytest

from tools.image_check import contents


def make(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def test_a_lean_image_has_no_problem(tmp_path):
    root = make(
        tmp_path,
        "usr/bin/ldd",
        "usr/bin/grep",
        "usr/bin/as-is",
        "opt/hpatches/bin/python",
        "opt/hpatches/bin/hpatches",
        "opt/hpatches/lib/python3.13/site-packages/tensorflow/libtensorflow_cc.so.2",
        "var/lib/apt/lists/partial/x",
    )
    assert contents.problems(root) == []


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("usr/bin/gcc", "compiler"),
        ("usr/bin/g++-14", "compiler"),
        ("usr/bin/x86_64-linux-gnu-ld", "compiler"),
        ("usr/bin/make", "compiler"),
        ("usr/lib/gcc/x86_64-linux-gnu/14/cc1plus", "compiler"),
        ("opt/hpatches/lib/python3.13/site-packages/clang/native/libclang.so", "compiler"),
        ("root/.cache/uv/x", "cache"),
        ("var/cache/apt/archives/g++.deb", "cache"),
        ("var/lib/apt/lists/deb_trixie_main_Packages", "cache"),
        ("tmp/wheel.whl", "cache"),
        ("opt/bootstrap/bin/uv", "cache"),
        ("run/secrets/index", "cache"),
        ("etc/pip.conf", "where packages come from"),
        ("home/hpatches/.netrc", "where packages come from"),
    ],
)
def test_what_a_build_leaves_behind_is_named(tmp_path, name, what):
    (problem,) = contents.problems(make(tmp_path, name, "usr/bin/grep"))
    assert what in problem
    assert name.startswith(problem.split(" is ")[0].split(" says ")[0].lstrip("/"))


def test_a_text_is_found_in_any_file_and_behind_no_link(tmp_path):
    root = make(tmp_path / "root", "etc/clean")
    (root / "etc" / "binary").write_bytes(b"\x00\x01canary\xff")
    outside = make(tmp_path / "outside", "x") / "x"
    outside.write_text("canary")
    (root / "etc" / "link").symlink_to(outside)
    assert contents.holding(root, ["canary"]) == ["etc/binary"]
    assert contents.holding(root, ["other", ""]) == []
    assert contents.holding(root, [""]) == []


def test_the_largest_entries_come_first_with_what_is_below_them(tmp_path):
    (tmp_path / "small.py").write_bytes(b"x" * 10)
    (tmp_path / "big" / "below").mkdir(parents=True)
    (tmp_path / "big" / "below" / "a").write_bytes(b"x" * 70)
    (tmp_path / "big" / "b").write_bytes(b"x" * 30)
    assert contents.largest(tmp_path, 1) == [("big", 100)]
    assert contents.largest(tmp_path, 5) == [("big", 100), ("small.py", 10)]
