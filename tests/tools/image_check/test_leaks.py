"""No secret, project name, bucket or address of an index is part of an image."""

from pathlib import Path

import pytest

from tools.image_check import leaks

_ROOT = Path(__file__).parents[3]


def test_what_images_are_made_of_holds_none():
    texts = leaks.context(_ROOT)
    assert {"Dockerfile", "trainer/__main__.py", "requirements/trainer/tpu.txt"} <= texts.keys()
    assert leaks.in_texts(texts) == []


def test_a_build_takes_nothing_but_the_packages_and_their_locks():
    tops = {Path(name).parts[0] for name in leaks.context(_ROOT)}
    assert tops == {
        *("Dockerfile", "components", "docker", "pipeline", "pyproject.toml", "requirements"),
        *("setup.py", "trainer"),
    }


@pytest.mark.parametrize(
    "planted",
    [
        "MODELS = 'gs://acme-models/serving'",
        "s3://acme-data/patches",
        "projects/acme-vision-1/locations/europe-west4",
        "trainer@acme-vision-1.iam.gserviceaccount.com",
        "-----BEGIN PRIVATE KEY-----",
        "key = AKIAABCDEFGHIJKLMNOP",
        "ENV UV_DEFAULT_INDEX=https://packages.acme.example/simple",
        "pip install --index-url https://packages.acme.example/simple tfx",
        "--find-links file:///wheels",
        "git+https://me:secret@code.acme.example/x",
        "FROM europe-docker.pkg.dev/acme/images/base",
    ],
)
def test_what_somebody_writes_into_a_file_is_found(planted):
    problems = leaks.in_texts({"pipeline/x.py": f"a = 1\n{planted}\n", "y": "b = 2"})
    assert len(problems) >= 1
    assert all(line.startswith("pipeline/x.py: ") for line in problems)


@pytest.mark.parametrize(
    "harmless",
    [
        "a path such as `gs://bucket/folder/file`",
        "works with `gs://` too",
        "--param data_path=gs://...",
        "NAME@PROJECT.iam.gserviceaccount.com",
        "projects/NUMBER/global/networks/NAME",
        "PIP_INDEX_URL=... names an index",
    ],
)
def test_texts_about_such_names_are_no_leaks(harmless):
    assert leaks.in_texts({"x": harmless}) == []


def test_a_secret_is_not_told_whole():
    (line,) = leaks.in_texts({"x": "key = AKIAABCDEFGHIJKLMNOP"})
    assert "AKIAABCDEFGHIJKLMNOP" not in line


def test_dockerignore_decides_and_its_last_rule_counts(tmp_path):
    (tmp_path / ".dockerignore").write_text("*\n!kept\n!locks/*.txt\n# gone\n**/*.pyc\n")
    for name in ("Dockerfile", "kept/a.py", "kept/b/c.pyc", "locks/a.txt", "locks/a.in", "else/d"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    assert leaks.context(tmp_path).keys() == {"Dockerfile", "kept/a.py", "locks/a.txt"}


def test_variables_labels_and_history_of_an_image_are_looked_at():
    described = {
        "config": {"Env": ["A=1", "B=gs://acme-models/x"], "Labels": {"l": "projects/acme-1"}},
        "history": [{"created_by": "RUN pip install --index-url https://p.acme.example/s x"}],
    }
    problems = leaks.in_texts(leaks.of_image(described))
    places = {line.split(": ")[1] for line in problems}
    assert places == {"config.Env.1", "config.Labels.l", "history.0.created_by"}
