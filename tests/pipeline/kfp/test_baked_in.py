"""The scan for what must not be part of a compiled pipeline."""

import pytest

from pipeline.kfp import baked_in
from trainer.core.errors import UserError

FORBIDDEN = {
    "a folder of an object store": "see gs://some-bucket/folder",
    "the name of a cloud project": "projects/12345/global/networks/mine",
    "a service account": "robot@some-project.iam.gserviceaccount.com",
    "a private key": "-----BEGIN RSA PRIVATE KEY-----",
    "an access key": "AKIA" + 16 * "A",
    "a password in an address": "https://me:secret@example.com/x",
}


@pytest.mark.parametrize("what", FORBIDDEN)
@pytest.mark.parametrize("nested", [False, True])
def test_every_kind_is_found_wherever_it_stands(what, nested):
    text = FORBIDDEN[what]
    tree = {"a": [{"b": f'{{"inner": "{text}"}}' if nested else text}]}
    assert ("a.0.b", what) in [(place, kind) for place, kind, _ in baked_in.find(tree)]
    with pytest.raises(UserError, match=r"^a\.0\.b: .* would be part of the compiled pipeline"):
        baked_in.check(tree)


def test_keys_are_looked_at_too():
    assert [place for place, _, _ in baked_in.find({"gs://bucket/x": 1})] == ["(key)"]


def test_texts_of_this_machine_are_found_as_whole_words():
    literals = {"/home/me": "the home folder", "": "nothing"}
    tree = {"a": "in /home/me/x", "b": "/home/meadow", "c": "/x/home/me"}
    assert list(baked_in.find(tree, literals)) == [("a", "the home folder", "/home/me")]


def test_secrets_are_not_repeated_in_the_message():
    with pytest.raises(UserError) as refusal:
        baked_in.check({"a": FORBIDDEN["an access key"]})
    assert FORBIDDEN["an access key"] not in str(refusal.value)


@pytest.mark.parametrize(
    "text", ["{{$.inputs.parameters['project']}}", "registry.example.com/a:1", "s3", "http://a/b"]
)
def test_what_belongs_there_passes(text):
    baked_in.check({"a": text})
