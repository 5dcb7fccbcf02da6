"""That the fake Cloud Storage is one to the three clients that the pipeline has."""

import pytest
import tensorflow as tf
from apache_beam.io.filesystems import FileSystems
from google.cloud import storage as google_storage

from tests.support.cloud import cloud_storage
from tests.support.cloud.objects import RefusedError


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with cloud_storage.running(tmp_path_factory.mktemp("storage")) as running:
        running.objects.make_bucket("b")
        yield running


@pytest.mark.slow
def test_tensorflow_reads_writes_lists_renames_and_deletes(service):
    gfile = tf.io.gfile
    gfile.makedirs("gs://b/tf/x/y")
    with gfile.GFile("gs://b/tf/x/y/a", "w") as file:
        file.write("one")
        file.flush()
        file.write("two")
    with gfile.GFile("gs://b/tf/x/y/a", "a") as file:
        file.write("three")
    with gfile.GFile("gs://b/tf/x/y/a") as file:
        assert file.read() == "onetwothree"
    gfile.rename("gs://b/tf/x/y/a", "gs://b/tf/b")
    gfile.copy("gs://b/tf/b", "gs://b/tf/c")
    assert sorted(gfile.listdir("gs://b/tf")) == ["b", "c", "x/"]
    assert gfile.isdir("gs://b/tf/x") and not gfile.exists("gs://b/tf/x/y/a")
    assert gfile.stat("gs://b/tf/c").length == 11
    # What all this is about: TensorFlow leaves an empty object for each folder.
    assert service.objects.markers("gs://b/tf") == ["gs://b/tf/", "gs://b/tf/x/", "gs://b/tf/x/y/"]
    gfile.rmtree("gs://b/tf")
    assert service.objects.names("gs://b/tf/") == []


def test_googles_client_reads_writes_and_lists_page_by_page(service):
    bucket = google_storage.Client().bucket("b")
    for name in ("google/1", "google/2", "google/3"):
        bucket.blob(name).upload_from_string(b"\r\n--" + name.encode() * 1000)
    assert [blob.name for blob in bucket.list_blobs(prefix="google/", page_size=2)] == [
        "google/1",
        "google/2",
        "google/3",
    ]
    assert bucket.blob("google/2").download_as_bytes() == b"\r\n--" + b"google/2" * 1000
    with bucket.blob("google/big").open("wb", chunk_size=256 * 1024) as file:
        file.write(b"x" * 700_000)
    assert service.objects.get("gs://b/google/big") == b"x" * 700_000


def test_beam_reads_writes_matches_renames_and_deletes(service):
    with FileSystems.create("gs://b/beam/one") as file:
        file.write(b"abc" * 1000)
    FileSystems.rename(["gs://b/beam/one"], ["gs://b/beam/two"])
    with FileSystems.open("gs://b/beam/two") as file:
        assert file.read() == b"abc" * 1000
    (matched,) = FileSystems.match(["gs://b/beam/*"])
    assert [item.path for item in matched.metadata_list] == ["gs://b/beam/two"]
    FileSystems.delete(["gs://b/beam/two"])
    assert service.objects.names("gs://b/beam/") == []


def test_nobody_gets_in_without_a_token(service):
    answer = service.objects.answer
    with pytest.raises(RefusedError, match="Anonymous caller"):
        answer("GET", "/storage/v1/b/b/o", {}, {}, b"")
