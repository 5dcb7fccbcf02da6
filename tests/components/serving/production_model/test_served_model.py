import tensorflow as tf

from components.serving.production_model import served_model
from tests.components.serving.production_model import saved_model_folders


def test_nothing_is_served_where_there_is_no_folder(tmp_path):
    assert served_model.find(str(tmp_path / "nowhere")) is None
    assert served_model.current_checksum(str(tmp_path / "nowhere")) == "none"


def test_the_largest_number_is_in_production_not_the_last_name(tmp_path):
    for version in (9, 10, 2):
        saved_model_folders.write(tmp_path / str(version), f"weights {version}")
    for name in (".pushing-12-host-1", "12.tmp", "latest", "012", "-12", "9" * 20):  # no versions
        saved_model_folders.write(tmp_path / name)
    production = saved_model_folders.production_of(tmp_path)
    assert production.version == 10
    assert production.path == str(tmp_path / "10")
    assert served_model.versions(str(tmp_path)) == (2, 9, 10)
    (tmp_path / "10" / "saved_model.pb").unlink()  # half written
    assert saved_model_folders.production_of(tmp_path).version == 9
    assert served_model.version_numbers(str(tmp_path)) == (2, 9, 10)


def test_the_checksum_follows_the_content_and_not_the_version(tmp_path):
    saved_model_folders.write(tmp_path / "1", "old")
    first = served_model.current_checksum(str(tmp_path))
    saved_model_folders.write(tmp_path / "2", "new")
    second = served_model.current_checksum(str(tmp_path))
    saved_model_folders.write(tmp_path / "3", "old")
    assert first != second
    assert served_model.current_checksum(str(tmp_path)) == first


def test_a_copy_holds_every_file(tmp_path):
    source = saved_model_folders.write(tmp_path / "model")
    served_model.copy(source + "/", str(tmp_path / "copy"))
    assert saved_model_folders.content_of(tmp_path / "copy") == saved_model_folders.content_of(
        source
    )


def test_a_copy_that_breaks_off_never_looks_whole(tmp_path, monkeypatch):
    source = saved_model_folders.write(tmp_path / "model")
    copy, copied = tf.io.gfile.copy, []

    def copy_and_note(original, target, **options):
        copied.append(target)
        copy(original, target, **options)

    monkeypatch.setattr(tf.io.gfile, "copy", copy_and_note)
    served_model.copy(source, str(tmp_path / "copy"))
    assert copied[-1] == str(tmp_path / "copy" / "saved_model.pb")
    assert len(copied) == 3
