"""A data set appears whole at its place, or nothing does."""

import fcntl
import hashlib
import itertools
import zipfile

import cv2
import numpy as np
import pytest

from components.datasets import archives
from components.datasets.catalogue import Dataset, Home
from components.datasets.fetch import fetch
from tests.components.datasets.test_archives import make_tar, make_zip
from tests.support.file_server import serving
from tests.support.pictures import write_sequence, write_strips
from trainer.core.errors import UserError

POINTS = 3


def packed(folder, path, prefix="wrapped"):
    """Packs a folder as archives are that the web offers: with litter and a folder around."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, f"{prefix}/{file.relative_to(folder)}")
        archive.writestr("__MACOSX/._wrapped", b"litter")
    return path.read_bytes()


@pytest.fixture(scope="module")
def strips(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    for name in ("i_a", "v_b", "v_c"):
        write_strips(root / "release" / name, POINTS)
    return packed(root / "release", root / "set.zip")


@pytest.fixture
def server(strips):
    with serving({"/set.zip": strips}) as server:
        yield server


def dataset(server, *homes, layout="strips", **contents):
    contents = contents or {"sequences": {"i": 1, "v": 2}}
    homes = homes or ({"url": "/set.zip"},)
    homes = tuple(
        Home(**home | {"url": f"{server.address}{home['url']}"}, source="test") for home in homes
    )
    return Dataset("small", "A small set", layout, "nobody", homes, **contents)


def run(wanted, output, archive=None):
    return fetch(wanted, str(output), archive and str(archive), pause=lambda _: None)


def beside(output):
    return sorted(path.name for path in output.parent.iterdir())


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def test_a_set_is_downloaded_checked_and_unpacked(server, strips, tmp_path):
    home = {"url": "/set.zip", "sha256": sha256(strips), "bytes": len(strips)}
    fetched = run(dataset(server, home), tmp_path / "release")
    assert sorted(path.name for path in (tmp_path / "release").iterdir()) == ["i_a", "v_b", "v_c"]
    assert fetched.contents == "3 image sequences (1 of illumination, 2 of viewpoint)"
    assert fetched.unchecked == ""
    assert beside(tmp_path / "release") == ["release"]


def test_an_archive_without_a_published_checksum_is_told_with_its_own(server, strips, tmp_path):
    (tmp_path / "release").mkdir()  # empty: it may be there
    assert run(dataset(server), tmp_path / "release").unchecked == sha256(strips)


def test_what_broke_off_is_kept_and_gone_on_with(server, strips, tmp_path):
    half = len(strips) // 2 >> 16 << 16
    server.cuts = [half] + [0] * 4
    with pytest.raises(UserError, match=r"MB are kept, and the same command goes on\), or withou"):
        run(dataset(server), tmp_path / "below" / "release")
    assert beside(tmp_path / "below" / "release") == [".release.fetch"]
    run(dataset(server), tmp_path / "below" / "release")
    assert server.asked[-1] == f"bytes={half}-"
    assert beside(tmp_path / "below" / "release") == ["release"]


def test_the_next_home_is_asked_when_one_has_gone_or_has_another_file(server, strips, tmp_path):
    server.files |= {"/page.zip": b"<html>for sale</html>", "/damaged.zip": strips[::-1]}
    homes = (
        {"url": "/gone.zip"},
        {"url": "/page.zip"},
        {"url": "/damaged.zip", "md5": hashlib.md5(strips).hexdigest()},
    )
    fetched = run(dataset(server, *homes, {"url": "/set.zip"}), tmp_path / "release")
    assert fetched.origin == f"{server.address}/set.zip"
    with pytest.raises(UserError) as told:
        run(dataset(server, *homes), tmp_path / "other")
    for reason in (
        "/gone.zip answered 404 Not Found; ",
        "/page.zip gave something that is no archive; ",
        f"/damaged.zip gave a file with md5 {hashlib.md5(strips[::-1]).hexdigest()}, expected ",
        "; try again later, or without a network download one of these files elsewhere and name "
        "it with --archive FILE",
    ):
        assert reason in str(told.value)
    assert beside(tmp_path / "other") == ["release"]


@pytest.mark.parametrize(
    ("sequences", "sentence"),
    [
        ({"i": 1, "v": 3}, r"small: found 3 image sequences \(1 of illumination, 2 of viewpoint\), "
         r"expected 4 image sequences \(1 of illumination, 3 of viewpoint\)"),
        ({"i": 2, "v": 1}, r"expected 3 image sequences \(2 of ill"),
    ],
)  # fmt: skip
def test_a_set_with_other_counts_is_refused_and_leaves_nothing(
    server, tmp_path, sequences, sentence
):
    with pytest.raises(UserError, match=sentence):
        run(dataset(server, sequences=sequences), tmp_path / "release")
    assert list(tmp_path.iterdir()) == []


def test_a_set_that_lacks_a_file_is_refused_in_words_without_hidden_folders(tmp_path, strips):
    for name in ("i_a", "v_b"):
        write_strips(tmp_path / "release" / name, POINTS)
    (tmp_path / "release" / "i_a" / "t5.png").unlink()
    sentence = r"^wrapped/i_a: lacks t5.png, expected the 16 strips"
    content = packed(tmp_path / "release", tmp_path / "set.zip")
    with serving({"/set.zip": content}) as server, pytest.raises(UserError, match=sentence):
        run(dataset(server), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_archive_that_leads_out_of_the_folder_leaves_nothing(tmp_path):
    content = make_tar(tmp_path / "evil.tar.gz", {"../../evil": b"evil"}).read_bytes()
    with serving({"/set.tar.gz": content}) as server:
        sentence = rf"^{server.address}/set.tar.gz: '\.\./\.\./evil' leads out of the folder"
        with pytest.raises(UserError, match=sentence):
            run(dataset(server, {"url": "/set.tar.gz"}), tmp_path / "below" / "out")
    assert beside(tmp_path / "below") == ["evil.tar.gz"]


def test_a_disk_that_fills_up_keeps_the_download(server, tmp_path, monkeypatch):
    real = zipfile.ZipFile.extract
    members = itertools.count()

    def extract(*arguments):
        if next(members) == 20:
            raise OSError(28, "No space left on device")
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "extract", extract)
        with pytest.raises(UserError, match=r"release: cannot be written \(No space left on dev"):
            run(dataset(server), tmp_path / "release")
    hidden = sorted(path.suffix for path in (tmp_path / ".release.fetch").iterdir())
    assert ".part" in hidden and not (tmp_path / ".release.fetch" / "unpacked").exists()
    asked = len(server.asked)
    run(dataset(server), tmp_path / "release")
    assert server.asked[asked:] in ([], [f"bytes={len(server.files['/set.zip'])}-"])
    assert beside(tmp_path / "release") == ["release"]


def test_too_little_space_keeps_the_download(server, tmp_path, monkeypatch):
    def refuse(folder, needed):
        raise archives.SpaceError("free some space")

    monkeypatch.setattr(archives, "_check_space", refuse)
    with pytest.raises(UserError, match="free some space"):
        run(dataset(server), tmp_path / "release")
    assert list((tmp_path / ".release.fetch").glob("*.part"))


def test_without_a_network_a_given_archive_is_checked_unpacked_and_left(strips, tmp_path):
    with serving({}) as gone:
        pass
    (tmp_path / "mine.zip").write_bytes(strips)
    home = {"url": "/set.zip", "sha256": sha256(strips)}
    fetched = run(dataset(gone, home), tmp_path / "release", archive=tmp_path / "mine.zip")
    assert (fetched.origin, fetched.unchecked) == (str(tmp_path / "mine.zip"), "")
    assert beside(tmp_path / "release") == ["mine.zip", "release"]
    with pytest.raises(UserError, match=r"no home gives it: .*/set.zip cannot be reached; try aga"):
        run(dataset(gone, home), tmp_path / "other")
    assert beside(tmp_path / "release") == ["mine.zip", "release"]


def test_a_given_archive_with_another_checksum_is_refused_where_all_are_known(strips, tmp_path):
    with serving({}) as gone:
        pass
    (tmp_path / "mine.zip").write_bytes(strips)
    known, unknown = {"url": "/a.zip", "sha256": "0" * 64}, {"url": "/b.zip"}
    with pytest.raises(UserError, match="which is none of the published archives of small"):
        run(dataset(gone, known), tmp_path / "release", archive=tmp_path / "mine.zip")
    fetched = run(dataset(gone, known, unknown), tmp_path / "release", tmp_path / "mine.zip")
    assert fetched.unchecked == sha256(strips)
    with pytest.raises(UserError, match=r"--archive: found no file nowhere\.zip"):
        run(dataset(gone, known), tmp_path / "other", archive="nowhere.zip")


def test_what_is_at_the_output_stays(server, tmp_path):
    (tmp_path / "release").mkdir()
    (tmp_path / "release" / "mine").touch()
    with pytest.raises(UserError, match="found a folder that is not empty, expected a new or emp"):
        run(dataset(server), tmp_path / "release")
    with pytest.raises(UserError, match="expected a local folder"):
        run(dataset(server), "gs://bucket/release")
    assert server.asked == [] and beside(tmp_path / "release") == ["release"]


def test_two_fetches_at_once_do_not_mix(server, tmp_path):
    (tmp_path / ".release.fetch").mkdir()
    with (tmp_path / ".release.fetch" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another `hpatches fetch` is at work there"):
            run(dataset(server), tmp_path / "release")
    run(dataset(server), tmp_path / "release")


def test_image_sequences_are_checked_by_their_reader(tmp_path):
    for name in ("v_a", "v_b"):
        write_sequence(tmp_path / "made" / name)
    with serving({"/set.zip": packed(tmp_path / "made", tmp_path / "s.zip")}) as server:
        wanted = dataset(server, layout="sequences", sequences={"v": 2})
        assert run(wanted, tmp_path / "out").contents == "2 image sequences (2 of viewpoint)"
        strips = dataset(server, layout="strips", sequences={"v": 2})
        with pytest.raises(UserError, match="holds image sequences"):
            run(strips, tmp_path / "other")


@pytest.mark.parametrize(
    ("patches", "lines", "sheets", "fits"),
    [(260, 260, 2, True), (260, 259, 2, False), (256, 256, 2, False), (261, 260, 2, False)],
)
def test_a_photo_tour_set_has_its_patches_and_files(tmp_path, patches, lines, sheets, fits):
    sheet = cv2.imencode(".bmp", np.zeros((1024, 1024), np.uint8))[1].tobytes()
    contents = {f"liberty/patches{number:04d}.bmp": sheet for number in range(sheets)}
    contents["liberty/info.txt"] = "".join(f"{n // 2} 0\n" for n in range(lines)).encode()
    with serving({"/set.zip": make_zip(tmp_path / "s.zip", contents).read_bytes()}) as server:
        wanted = dataset(server, layout="photo_tour", patches=patches)
        if fits:
            assert run(wanted, tmp_path / "out").contents == "260 patches of 130 points"
            return
        with pytest.raises(UserError, match=f"expected {patches} in"):
            run(wanted, tmp_path / "out")
