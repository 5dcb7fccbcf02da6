"""Exported models in the programs of others: PyTorch, kornia and LiteRT (`make export-env`)."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from components.model_export import export

_PYTHON = Path(__file__).parents[3] / ".venv-export" / "bin" / "python"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not _PYTHON.exists(), reason="no .venv-export; `make test-foreign` makes it and runs this"
    ),
]

_TORCH = """
import json, sys
import kornia, numpy as np, torch
sys.path.insert(0, ".")
from exported_model import HPatchesDescriptor

describe = HPatchesDescriptor()
patches = torch.from_numpy(np.load("patches.npy"))[:, None]
with torch.no_grad():
    np.save("by_uint8.npy", describe(patches))
    np.save("by_float.npy", describe(patches.float() / 255))
    small = patches[:, :, :32, :32]
    np.save("small_uint8.npy", describe(small))
    np.save("small_float.npy", describe(small.float() / 255))
    image = torch.from_numpy(np.load("image.npy"))[None, None].float() / 255
    x, y, sigma, angle = np.load("points.npy").T
    centres = torch.from_numpy(np.stack([x, y], -1))[None].float()
    scales = torch.from_numpy(sigma * describe.identity["patch"]["measurement_region"])
    # kornia counts angles in degrees, from the x axis upwards.
    degrees = torch.from_numpy(-np.rad2deg(angle))
    lafs = kornia.feature.laf_from_center_scale_ori(
        centres, scales.reshape(1, -1, 1, 1).float(), degrees.reshape(1, -1, 1).float()
    )
    found = kornia.feature.LAFDescriptor(describe, patch_size=65)(image, lafs)
    np.save("by_kornia.npy", found[0])
print(json.dumps(describe.identity["patch"]))
"""
_LITERT = """
import sys, zipfile
import numpy as np
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(model_path="m.tflite")
patches = np.load("patches.npy")
given, gives = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
interpreter.resize_tensor_input(given["index"], patches.shape)
interpreter.allocate_tensors()
interpreter.set_tensor(given["index"], patches)
interpreter.invoke()
np.save("by_litert.npy", interpreter.get_tensor(gives["index"]))
print(zipfile.ZipFile("m.tflite").read("descriptor.json").decode())
"""


def there(code: str, folder: Path) -> dict:
    """Runs code in the other environment and returns the JSON that it prints."""
    done = subprocess.run(
        [str(_PYTHON), "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_pytorch_and_kornia_describe_as_the_saved_model_does(
    model, patches, served, release, tmp_path
):
    from components.descriptor_evaluator.descriptors import saved_model
    from components.example_gen.geometry import frames
    from components.example_gen.geometry.patches import ImageSampler

    export.export_model(model, "torch", str(tmp_path / "exported_model.py"), data=release)
    np.save(tmp_path / "patches.npy", patches)
    picture = smooth_picture()
    points = np.array([[100, 90, 6.0, 0.0], [150, 120, 7.5, 0.7], [90, 140, 6.5, -2.2]])
    np.save(tmp_path / "image.npy", picture)
    np.save(tmp_path / "points.npy", points)
    patch = there(_TORCH, tmp_path)
    assert patch["measurement_region"] > 0

    def stored(name: str) -> np.ndarray:
        return np.load(tmp_path / f"{name}.npy")

    np.testing.assert_allclose(stored("by_uint8"), served, atol=1e-4)
    np.testing.assert_allclose(stored("small_float"), stored("small_uint8"), atol=1e-4)
    # Grey levels that are not rounded after resizing describe nearly the same.
    assert (stored("by_float")[:-1] * served[:-1]).sum(axis=1).min() > 0.99
    squares = frames.from_detections(points[:, :3], points[:, 3], patch["measurement_region"])
    ours = ImageSampler(picture).sample(squares)
    expected = saved_model.describe_patches(saved_model.load_model(model), ours[:, None])[0]
    likeness = expected @ stored("by_kornia").T
    assert np.diag(likeness).min() > 0.9, likeness


@pytest.mark.parametrize("format", ["tflite", "tflite-float16", "tflite-int8"])
def test_litert_describes_as_the_saved_model_does(
    format, model, patches, served, release, tmp_path
):
    export.export_model(model, format, str(tmp_path / "m.tflite"), data=release)
    np.save(tmp_path / "patches.npy", patches)
    assert there(_LITERT, tmp_path)["export"]["format"] == format
    described = np.load(tmp_path / "by_litert.npy")
    tolerance = {"tflite": 1e-4, "tflite-float16": 0.01, "tflite-int8": 0.3}[format]
    np.testing.assert_allclose(described, served, atol=tolerance)


def smooth_picture() -> np.ndarray:
    """uint8 [240, 260], without detail that two ways of resampling would render differently."""
    import cv2

    noise = np.random.default_rng(1).normal(size=(240, 260)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 5)
    return np.clip(128 + smooth / smooth.std() * 45, 0, 255).astype(np.uint8)
