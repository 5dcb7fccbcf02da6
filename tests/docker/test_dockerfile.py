"""The Dockerfile and its locks, read as texts."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_FILES = ("Dockerfile", "docker/beam-worker.Dockerfile")
_LOCKS = (
    *("bootstrap", "build", "trainer/tpu", "trainer/cpu"),
    *(f"py3{minor}/{name}" for minor in (10, 11, 12, 13) for name in ("pipeline", "dev")),
)
_TARGETS = ("pipeline", "trainer-tpu")
_PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[\w,-]+\])?==(\S+)(?: (;.*?))? \\$", re.MULTILINE)


def stages() -> dict[str, list[str]]:
    """Returns the instructions of each stage by its name; `""` is before the first."""
    text = (_ROOT / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    instructions = [line for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line]
    by_name: dict[str, list[str]] = {"": []}
    for instruction in instructions:
        if instruction.startswith("FROM "):
            by_name[instruction.split(" AS ")[1]] = [instruction]
        else:
            by_name[list(by_name)[-1]].append(instruction)
    return by_name


def lock(name: str) -> dict[str, str]:
    """Returns version by package; with the marker where there is one."""
    pins = _PIN.findall((_ROOT / "requirements" / f"{name}.txt").read_text())
    return {package + marker: version for package, version, marker in pins}


def pipelines_lock() -> str:
    """Returns the name of the lock for the Python of the images."""
    python = re.findall(r"^ARG PYTHON_VERSION=3\.(\d+)$", "\n".join(stages()[""]), re.MULTILINE)[0]
    return f"py3{python}/pipeline"


def all_of(target: str, word: str) -> list[str]:
    return [line for line in stages()[target] if line.split()[0] == word]


@pytest.mark.parametrize("file", _FILES)
def test_hadolint_has_nothing_to_say(file):
    tool = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([tool, _ROOT / file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_base_image_is_an_argument_of_every_stage_that_starts_anew():
    by_name = stages()
    assert by_name[""] == ["ARG BASE_IMAGE=debian:trixie-slim", "ARG PYTHON_VERSION=3.13"]
    for name, (first, *_) in by_name.items():
        start = first.split()[1]
        assert not name or start == "${BASE_IMAGE}" or start in by_name


@pytest.mark.parametrize("target", _TARGETS)
def test_an_image_starts_from_what_was_not_built_in(target):
    first, *rest = stages()[target]
    assert first == f"FROM runtime AS {target}"
    assert stages()["runtime"][0] == "FROM ${BASE_IMAGE} AS runtime"
    ran = " ".join(line for line in rest + stages()["runtime"] if line.startswith("RUN"))
    assert not re.search(r"\b(pip|uv|curl|wget)\b", ran)
    installed = re.findall(r"apt-get install --yes --no-install-recommends ([^&]*)&&", ran)
    assert [words.split() for words in installed] == [
        ["ca-certificates", '"python${PYTHON_VERSION}"']
    ]


@pytest.mark.parametrize("target", _TARGETS)
def test_an_image_has_a_user_labels_and_a_health_command(target):
    users = {**dict(re.findall(r"ARG (\w+)=(\S+)", " ".join(stages()[target])))}
    (user,) = all_of(target, "USER")
    assert user in ("USER 10001", "USER ${TRAINER_USER}")
    assert users.get("TRAINER_USER", "10001") == "10001"
    (label,) = all_of(target, "LABEL")
    for key in ("title", "description", "version", "revision"):
        assert f"org.opencontainers.image.{key}=" in label
    (health,) = all_of(target, "HEALTHCHECK")
    module = re.findall(r'"([\w.]+\.health)"', health)[0]
    assert (_ROOT / f"{module.replace('.', '/')}.py").is_file()


def test_the_version_is_the_projects():
    version = re.findall(r'version="([^"]+)"', (_ROOT / "setup.py").read_text())[0]
    for target in _TARGETS:
        assert f"ARG VERSION={version}" in stages()[target]


def test_whatever_is_installed_is_locked_with_hashes_or_ours():
    checked = 0
    for line in (line for stage in stages().values() for line in stage):
        for command in re.split(r"&&|;", line):
            words = shlex.split(command.strip()) if re.search(r"(pip|uv) ", command) else []
            if ("install" in words and "apt-get" not in words) or "sync" in words:
                ours = {"--offline", "--no-deps", "."} <= set(words)
                assert "--require-hashes" in words or ours, command
                checked += 1
    assert checked >= 4


def test_every_command_that_asks_an_index_is_told_it_by_a_secret():
    asking = 0
    for line in (line for stage in stages().values() for line in stage):
        if "--require-hashes" in line:
            asking += 1
            assert "--mount=type=secret,id=index" in line
            assert "docker/with-secrets" in line
        assert not re.match(r"(ARG|ENV) .*(INDEX|TOKEN|PASSWORD|SECRET|PROJECT|BUCKET)", line)
    assert asking >= 3


@pytest.mark.parametrize("name", _LOCKS)
def test_a_lock_has_a_hash_per_package_and_no_address(name):
    text = (_ROOT / "requirements" / f"{name}.txt").read_text()
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(entries) == len(lock(name)) > 0
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text
    assert "index-url" not in text.replace("--no-emit-index-url", "")


def test_the_tpus_lock_is_what_the_trainer_needs_and_no_second_tensorflow():
    packages = lock("trainer/tpu")
    names = {name.partition(";")[0] for name in packages}
    assert {"tensorflow-tpu", "libtpu", "tf-keras", "numpy", "pydantic", "pyyaml"} <= names
    unwanted = {"tensorflow", "tensorflow-cpu", "libclang", "tfx", "apache-beam", "kfp", "scipy"}
    assert not unwanted & names


def test_the_tested_tensorflow_differs_from_the_tpus_in_its_build_alone():
    builds = {"tensorflow-tpu", "tensorflow-cpu", "libtpu"}
    tpu, tested = lock("trainer/tpu"), lock("trainer/cpu")
    assert tested["tensorflow-cpu"] == tpu["tensorflow-tpu"]
    assert tpu.keys() ^ tested.keys() == builds
    assert {name: tpu[name] for name in tpu.keys() - builds} == {
        name: tested[name] for name in tested.keys() - builds
    }


def test_packages_are_built_with_what_the_pipeline_holds():
    for minor in (10, 11, 12, 13):
        assert lock("build").items() <= lock(f"py3{minor}/pipeline").items()


def test_the_library_is_where_jobs_on_vertex_look_for_it():
    job = (_ROOT / "components" / "descriptor_trainer" / "vertex" / "job.py").read_text()
    place = re.findall(r'"TF_PLUGGABLE_DEVICE_LIBRARY_PATH": "([^"]+)"', job)[0]
    linked = [shlex.split(line) for line in all_of("trainer-tpu", "RUN") if "ln -s" in line]
    assert [words[-1] for words in linked] == [place]
    assert "-sf" in linked[0]  # Vertex's base image for TPU pods may have one there


def test_beams_workers_run_the_beam_and_the_python_of_the_pipeline():
    text = (_ROOT / "docker" / "beam-worker.Dockerfile").read_text()
    python, beam = re.findall(r"^ARG BEAM_IMAGE=apache/beam_python([\d.]+)_sdk:(\S+)$", text, re.M)[
        0
    ]
    assert beam == lock(pipelines_lock())["apache-beam"]
    assert f"ARG PYTHON_VERSION={python}" in stages()[""]


def test_a_job_on_vertex_for_pods_keeps_the_entry_point_of_its_base():
    assert all_of("trainer-tpu", "ENTRYPOINT") == []


def test_the_installed_package_holds_every_file_of_the_source_tree():
    text = (_ROOT / "setup.py").read_text()
    for package in ("pipeline", "components", "trainer"):
        listed = re.findall(rf'"{package}": \[([^\]]*)\]', text)
        patterns = re.findall(r'"([^"]+)"', listed[0]) if listed else []
        held = {path for pattern in patterns for path in (_ROOT / package).glob(pattern)}
        data = {
            path
            for path in (_ROOT / package).rglob("*")
            if path.is_file() and path.suffix not in (".py", ".pyc")
        }
        assert data <= held, f"setup.py leaves out {sorted(map(str, data - held))}"
