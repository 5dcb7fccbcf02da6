"""Archives of unknown origin write below one folder or not at all."""

import io
import shutil
import tarfile
import zipfile
from collections import namedtuple

import pytest

from components.datasets import archives
from trainer.core.errors import UserError

FILES = {"set/a.txt": b"one", "set/below/b.txt": b"two"}


def make_zip(path, contents=FILES):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def make_tar(path, contents=FILES, links=()):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, target, kind in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
    return path


def unpack(path):
    folder = path.parent / "out"
    folder.mkdir()
    archives.unpack(path, folder, "small")
    return {
        str(found.relative_to(folder)): found.read_bytes()
        for found in folder.rglob("*")
        if found.is_file()
    }


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_an_archive_is_unpacked(make, tmp_path):
    path = make(tmp_path / "archive")
    assert archives.is_archive(path)
    assert unpack(path) == FILES


@pytest.mark.parametrize("make", [make_zip, make_tar])
@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "set/../../evil", "C:/evil", "..\\evil"])
def test_a_name_that_leads_out_of_the_folder_is_refused(make, name, tmp_path):
    path = make(tmp_path / "archive", {name: b"evil"})
    with pytest.raises(UserError, match="leads out of the folder; do not use this archive"):
        unpack(path)
    assert [found.name for found in tmp_path.rglob("*evil*")] == []


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(kind, tmp_path):
    path = make_tar(tmp_path / "archive", links=[("set/out", "/etc", kind)])
    with pytest.raises(UserError, match="set/out is a link or a device, expected files and fold"):
        unpack(path)
    assert not (tmp_path / "out/set/out").exists()


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_damaged_archive_is_told(make, tmp_path):
    path = make(tmp_path / "archive", {"set/a": bytes(range(256)) * 400})
    data = bytearray(path.read_bytes())
    data[60:90] = bytes(30)
    path.write_bytes(data)
    with pytest.raises(UserError, match="archive: is damaged or no archive"):
        unpack(path)


def test_what_is_no_archive_is_told(tmp_path):
    path = tmp_path / "page"
    path.write_text("<html>moved</html>")
    assert not archives.is_archive(path)
    with pytest.raises(UserError, match="is damaged or no archive"):
        unpack(path)


def test_a_disk_without_the_space_is_told_before_it_is_filled(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(10, 5, 5)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    path = make_zip(tmp_path / "archive")
    with pytest.raises(archives.SpaceError, match="unpacking needs 0 MB, found 0 MB free"):
        unpack(path)
    assert list((tmp_path / "out").iterdir()) == []
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=6))
    archives.unpack(path, tmp_path / "out", "small")
