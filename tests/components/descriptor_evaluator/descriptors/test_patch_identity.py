"""What a patch is to a model that lies in a folder."""

import json
import subprocess
import sys

import pytest

from components.descriptor_evaluator.descriptors import patch_identity
from trainer.core.errors import UserError
from trainer.model.names import IDENTITY_FILE, SAVED_MODEL_FILE
from trainer.model.patch_identity import MatchingRule, PatchIdentity


def model(folder, identity):
    (folder / SAVED_MODEL_FILE).write_bytes(b"")
    if identity is not None:
        (folder / IDENTITY_FILE).parent.mkdir()
        (folder / IDENTITY_FILE).write_text(json.dumps(identity))
    return str(folder)


def test_a_model_says_how_its_patches_are_cut_and_matched(tmp_path):
    said = {"patch": {"measurement_region": 6.0}, "matching": {"ratio": 0.8}}
    path = model(tmp_path, said)
    assert patch_identity.of_model(path) == PatchIdentity(measurement_region=6.0)
    assert patch_identity.matching_of_model(path) == MatchingRule(ratio=0.8)


def test_a_model_that_says_nothing_is_of_the_present_cut(tmp_path):
    path = model(tmp_path, None)
    assert patch_identity.of_model(path) == PatchIdentity()
    assert patch_identity.matching_of_model(path) == MatchingRule()


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"holds no saved_model\.pb"):
        patch_identity.of_model(str(tmp_path))


def test_a_cut_of_another_version_is_refused_by_file_and_key(tmp_path):
    path = model(tmp_path, {"patch": {"blur": "box"}})
    with pytest.raises(UserError, match=r"descriptor\.json: patch: this version.*blur"):
        patch_identity.of_model(path)


def test_it_needs_no_heavy_library():
    code = (
        "import sys; import components.descriptor_evaluator.descriptors.patch_identity; "
        "print([name for name in ('tensorflow', 'cv2', 'scipy') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
