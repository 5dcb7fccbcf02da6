"""Keeps tests of cloud clients on this machine."""

import google.auth
import pytest


def forbid_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a search for Google credentials fail the test."""

    def searched(*_: object, **__: object):
        pytest.fail("credentials were looked for")

    monkeypatch.setattr(google.auth, "default", searched)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
