"""The demo's data: the photographs inside the scikit-image and scikit-learn wheels.

They are found and copied without importing those packages.
"""

from __future__ import annotations

import filecmp
import importlib.util
import shutil
from pathlib import Path

from components.example_gen.formats.scene_table import FILE_NAME, format_table
from trainer.core.errors import UserError

# Real photographs and micrographs; not the drawings, logos, colour tables and text pages
# that lie beside them. The two motorcycles are one scene, seen by a stereo pair.
PHOTOGRAPHS: dict[str, tuple[str, str]] = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "brick": ("skimage", "data/brick.png"),
    "camera": ("skimage", "data/camera.png"),
    "cell": ("skimage", "data/cell.png"),
    "chelsea": ("skimage", "data/chelsea.png"),
    "china": ("sklearn", "datasets/images/china.jpg"),
    "coffee": ("skimage", "data/coffee.png"),
    "coins": ("skimage", "data/coins.png"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
    "grass": ("skimage", "data/grass.png"),
    "gravel": ("skimage", "data/gravel.png"),
    "hubble_deep_field": ("skimage", "data/hubble_deep_field.jpg"),
    "ihc": ("skimage", "data/ihc.png"),
    "moon": ("skimage", "data/moon.png"),
    "motorcycle_left": ("skimage", "data/motorcycle_left.png"),
    "motorcycle_right": ("skimage", "data/motorcycle_right.png"),
    "retina": ("skimage", "data/retina.jpg"),
    "rocket": ("skimage", "data/rocket.jpg"),
}
SCENES = {"motorcycle_left": "motorcycle", "motorcycle_right": "motorcycle"}


def materialise(target_dir: str | Path) -> Path:
    """Copies the photographs and their `scenes.csv` into a folder, and returns it.

    Files that are there already and equal stay untouched, so that a fingerprint of names,
    times and sizes stays the same.

    Args:
        target_dir: Local folder; made when absent.

    Raises:
        UserError: When a package lacks a photograph or the folder cannot be written.
    """
    target = Path(target_dir)
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, (package, inside) in PHOTOGRAPHS.items():
            original = _package_folder(package) / inside
            _copy(original, target / f"{name}{original.suffix}")
        table = target / FILE_NAME
        text = format_table({name: SCENES.get(name, name) for name in PHOTOGRAPHS})
        if not table.exists() or table.read_text() != text:
            table.write_text(text)
    except OSError as error:
        raise UserError(f"{target}: cannot be written ({error.strerror})") from error
    return target


def _copy(original: Path, copy: Path) -> None:
    if not original.is_file():
        raise UserError(f"{original}: is missing, expected the photograph that its package ships")
    if copy.is_file() and filecmp.cmp(original, copy, shallow=False):
        return
    temporary = copy.with_name(f".{copy.name}.tmp")
    shutil.copy2(original, temporary)
    temporary.replace(copy)


def _package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            f"the package {package} is not installed, but the demo's photographs are in it"
        )
    return Path(spec.submodule_search_locations[0])
