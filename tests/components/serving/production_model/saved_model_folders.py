"""Folders that look like SavedModels to whatever only copies and counts them."""

from pathlib import Path

from components.serving.production_model import served_model


def write(folder, content="weights"):
    """Writes a folder with a SavedModel's files; equal content, equal checksum."""
    folder = Path(folder)
    (folder / "variables").mkdir(parents=True)
    (folder / "assets.extra").mkdir()
    (folder / "saved_model.pb").write_text("graph")
    (folder / "variables" / "variables.index").write_text(content)
    (folder / "assets.extra" / "descriptor.json").write_text('{"dimension": 128}')
    return str(folder)


def content_of(folder):
    """All files of a folder with their bytes."""
    folder = Path(folder)
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def production_of(destination):
    """The model in production; there must be one."""
    served = served_model.find(str(destination))
    assert served is not None
    return served
