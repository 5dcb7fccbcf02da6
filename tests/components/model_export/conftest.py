"""A model that was trained for seconds, and what it says of real patches."""

from pathlib import Path

import numpy as np
import pytest

from components.descriptor_evaluator.descriptors import saved_model
from tests.support.releases import patches_of
from tests.support.synthetic import TWO_SCENES, write_examples
from tests.support.training import folders_in, small_config
from trainer.engine import loop


@pytest.fixture(scope="package")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of the SavedModel."""
    root = tmp_path_factory.mktemp("trained")
    write_examples(root / "examples", TWO_SCENES)
    trained = loop.train(small_config(), str(root / "examples"), None, folders_in(root))
    return trained.model_path


@pytest.fixture(scope="package")
def patches() -> np.ndarray:
    """uint8 [81, 65, 65]: patterns, and one flat patch."""
    flat = np.full((1, 65, 65), 90, np.uint8)
    return np.concatenate([patches_of("v_one", 5).reshape(-1, 65, 65), flat])


@pytest.fixture(scope="package")
def served(model: str, patches: np.ndarray) -> np.ndarray:
    """What the SavedModel says of the patches, float32 [81, 64]."""
    loaded = saved_model.load_model(model)
    return saved_model.describe_patches(loaded, patches[:, None])[0]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """An empty folder for exports."""
    return tmp_path
