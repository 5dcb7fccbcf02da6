"""Markers of folders, as TensorFlow writes them and Kubeflow's launcher stumbles over them."""

from __future__ import annotations

import pytest

from components.kubeflow import folder_markers
from tests.support.cloud import cloud_storage
from trainer.core.errors import UserError


@pytest.fixture
def storage(tmp_path):
    with cloud_storage.running(tmp_path) as service:
        yield service


def test_empty_objects_that_stand_for_folders_go_and_files_stay(storage):
    files = ["gs://b/run/model/a", "gs://b/run/model/x/empty", "gs://b/run/model_run/b"]
    markers = ["gs://b/run/model/", "gs://b/run/model/x/"]
    elsewhere = ["gs://b/run/", "gs://b/run/model_run/"]
    for uri in (*files, *markers, *elsewhere):
        storage.objects.put(uri, b"" if uri.endswith(("/", "empty")) else b"content")
    assert folder_markers.remove(["gs://b/run/model", "/a/local/folder"]) == 2
    assert storage.objects.names("gs://b/") == sorted([*files, *elsewhere])
    assert folder_markers.remove(["gs://b/run/model"]) == 0


def test_a_bucket_that_cannot_be_looked_at_is_told(storage):
    with pytest.raises(
        UserError, match=r"^gs://other/model: the empty objects .* cannot be deleted"
    ):
        folder_markers.remove(["gs://other/model"])


def test_local_folders_need_nothing(tmp_path):
    assert folder_markers.remove([str(tmp_path)]) == 0
