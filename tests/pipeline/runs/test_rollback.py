import shutil
import uuid

import pytest
import tensorflow as tf

from components.serving.production_model import served_model
from components.serving.pusher import destination, push_log
from pipeline.runs.rollback import rollback
from tests.components.serving.production_model import saved_model_folders
from trainer.core.errors import UserError


@pytest.fixture
def serving(tmp_path):
    for version in (3, 5, 8):
        saved_model_folders.write(tmp_path / "serving" / str(version), f"weights {version}")
    return tmp_path / "serving"


def test_an_earlier_model_becomes_the_newest_version(serving):
    new = rollback(str(serving), 3)
    production = saved_model_folders.production_of(serving)
    assert production.version == new > 8
    old = saved_model_folders.content_of(serving / "3")
    assert saved_model_folders.content_of(production.path) == old
    assert served_model.versions(str(serving)) == (3, 5, 8, new)
    (entry,) = push_log.read(str(serving))
    assert entry.action == "rollback"
    assert (entry.from_version, entry.version, entry.replaced_version) == (3, new, 8)
    with pytest.raises(UserError, match=rf"3 is in production already \(as version {new}\)"):
        rollback(str(serving), 3)


def test_a_rollback_can_be_taken_back(serving):
    rollback(str(serving), 3)
    rollback(str(serving), 8)
    production = saved_model_folders.production_of(serving)
    assert saved_model_folders.content_of(production.path) == saved_model_folders.content_of(
        serving / "8"
    )


def test_what_cannot_be_served_is_refused(serving, tmp_path):
    with pytest.raises(UserError, match="version 8 is in production already; nothing"):
        rollback(str(serving), 8)
    assert served_model.versions(str(serving)) == (3, 5, 8)
    (serving / "5" / "saved_model.pb").unlink()  # half written
    with pytest.raises(UserError, match="no version 5"):
        rollback(str(serving), 5)
    shutil.rmtree(serving / "5")
    with pytest.raises(UserError, match=r"no version 5; expected one of 3, 8 \(the last is in"):
        rollback(str(serving), 5)
    with pytest.raises(UserError, match="no model has been pushed there"):
        rollback(str(tmp_path / "elsewhere"), 3)


def test_it_works_where_renames_are_not_atomic(tmp_path, serving):
    bucket = f"ram://{uuid.uuid4().hex}/serving"
    first = destination.place(str(serving / "3"), bucket)
    destination.place(str(serving / "5"), bucket)
    new = rollback(bucket, first.version)
    assert saved_model_folders.production_of(bucket).version == new
    assert saved_model_folders.production_of(bucket).checksum == first.checksum
    assert tf.io.gfile.exists(f"{bucket}/{new}/variables/variables.index")
