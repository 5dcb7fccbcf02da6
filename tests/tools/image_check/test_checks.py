"""What is said against an image, and the start of the check; nothing is built here."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from tools.image_check import __main__ as command
from tools.image_check import buildah, checks
from tools.image_check.buildah import CheckError

_LABELS = {f"org.opencontainers.image.{key}": "x" for key in checks.LABELS}
_CONFIG = {
    "User": "10001",
    "Labels": _LABELS,
    "Healthcheck": {"Test": ["CMD", "python", "-m", "trainer.health"]},
    "Env": ["PATH=/usr/bin"],
}


@pytest.fixture
def image(tmp_path, monkeypatch):
    """An image whose description and file system a test can spoil."""
    packages = tmp_path / "root" / checks.PACKAGES["trainer-tpu"]
    (packages / "trainer").mkdir(parents=True)
    (packages / "trainer" / "x.py").write_text("a = 1\n")
    ran = []

    def run(words, **_):
        ran.append(words)
        return buildah.Ran(1 if words[0] == "touch" else 0, "10001\n")

    container = SimpleNamespace(root=tmp_path / "root", run=run)
    inspected = {"Docker": {"config": {**_CONFIG}, "history": []}, "OCIv1": {}}

    class Working:
        def __init__(self, name):
            pass

        def __enter__(self):
            return container

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(buildah, "inspect", lambda name: inspected)
    monkeypatch.setattr(buildah, "working_container", Working)
    monkeypatch.setattr(buildah, "size", lambda name: 1_230_000_000)
    return SimpleNamespace(
        config=inspected["Docker"]["config"],
        description=inspected["Docker"],
        packages=packages,
        root=container.root,
        container=container,
        ran=ran,
    )


def said(secrets=("hush-hush",)):
    return checks.image("i", "trainer-tpu", list(secrets))


def test_a_good_image_is_told_by_its_size_and_what_takes_it(image):
    assert said().startswith("trainer-tpu: 1230 MB, not compressed (MB of it: trainer 0")
    assert ["python", "-m", "trainer.health"] in image.ran


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"User": "root"}, "runs as root, expected 10001"),
        ({"User": ""}, "runs as root, expected 10001"),
        ({"Labels": None}, "no label org.opencontainers.image.title"),
        ({"Healthcheck": {}}, "no health command"),
        ({"Env": ["A=gs://acme-models/x"]}, "a folder of an object store"),
        ({"Env": ["A=hush-hush"]}, "config.Env.0 holds a secret of the build"),
    ],
)
def test_what_is_wrong_with_its_description_is_told(image, change, message):
    image.config.update(change)
    with pytest.raises(CheckError, match=message):
        said()


def test_a_secret_in_the_history_of_its_layers_is_told(image):
    image.description["history"].append({"created_by": "RUN A=hush-hush pip install x"})
    with pytest.raises(CheckError, match=r"history\.0\.created_by holds a secret of the build"):
        said()


@pytest.mark.parametrize(
    ("ran", "message"),
    [
        (buildah.Ran(0, "10001\n"), "can write to /opt"),
        (
            buildah.Ran(1, "unhealthy: x does not load"),
            "health command failed with status 1:\nunhealthy: x",
        ),
    ],
)
def test_an_image_whose_user_can_change_it_or_that_is_unhealthy_is_refused(image, ran, message):
    image.container.run = lambda words, **_: ran
    with pytest.raises(CheckError, match=message):
        said()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("var/log/x", "hush-hush", "/var/log/x holds a secret of the build"),
        ("usr/bin/gcc", "", "/usr/bin/gcc is a compiler"),
        ("home/hpatches/notes", "gs://acme-models/x", "/home/hpatches/notes: a folder of an"),
        (f"{checks.PACKAGES['trainer-tpu']}/tfx/x", "", "tfx is in it"),
        (f"{checks.PACKAGES['trainer-tpu']}/trainer/y.py", "projects/acme-1", "a cloud project"),
    ],
)
def test_what_is_wrong_with_its_files_is_told(image, name, text, message):
    path = image.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    with pytest.raises(CheckError, match=message):
        said()


@pytest.mark.parametrize(
    ("user", "told"),
    [
        (1000, "error: image-check needs root: it installs packages and mounts file systems\n"),
        (0, "found 5 GB of space"),
    ],
)
def test_only_root_can_check_and_with_enough_space(tmp_path, monkeypatch, capsys, user, told):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(command.shutil, "disk_usage", lambda path: SimpleNamespace(free=5e9))
    assert command.main(["--work", str(tmp_path)]) == 1
    assert told in capsys.readouterr().err


def test_the_builds_secrets_are_this_machines_index_and_a_canary(tmp_path, monkeypatch):
    for name in command.INDEX_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://me:pw@packages.example/simple")
    given = command._secrets(tmp_path, "c4n4ry")
    assert command._values(given["index"]) == ["c4n4ry", "https://me:pw@packages.example/simple"]


def test_a_store_of_its_own_is_for_the_time_of_the_check(tmp_path, monkeypatch):
    monkeypatch.setattr(buildah, "_run", lambda words: buildah.Ran(0, ""))
    monkeypatch.delenv("CONTAINERS_STORAGE_CONF", raising=False)
    with buildah.own_store(tmp_path / "store", keep=False):
        config = Path(os.environ["CONTAINERS_STORAGE_CONF"]).read_text()
        assert f'graphroot = "{tmp_path}/store/root"' in config
    assert "CONTAINERS_STORAGE_CONF" not in os.environ
    assert not (tmp_path / "store").exists()
