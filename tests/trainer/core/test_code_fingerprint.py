import sys
from pathlib import Path

import pytest

from trainer.core.code_fingerprint import fingerprint


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "somepackage"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "rule.py").write_text("MARGIN = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    sys.modules.pop("somepackage", None)


def test_a_changed_line_changes_it(package: Path):
    before = fingerprint("somepackage")
    assert fingerprint("somepackage") == before
    (package / "rule.py").write_text("MARGIN = 2\n")
    assert fingerprint("somepackage") != before


def test_a_module_stands_for_itself_alone(package: Path):
    before = fingerprint("somepackage.rule")
    (package / "other.py").write_text("x = 1\n")
    assert fingerprint("somepackage.rule") == before
    assert fingerprint("somepackage") != before


def test_an_unknown_module_is_an_error():
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        fingerprint("no_such_package")
