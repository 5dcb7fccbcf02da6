"""A fake Vertex AI for each test."""

from collections.abc import Callable, Iterator

import pytest
from google.api_core import retry

from components.core import google_cloud
from components.descriptor_trainer.vertex import job_service
from tests.support.cloud.fake_vertex import FakeVertex
from tests.support.cloud.isolation import forbid_credentials


@pytest.fixture
def vertex(monkeypatch) -> Iterator[FakeVertex]:
    """The service; the executor's clients are connected to it, and nobody waits long."""
    forbid_credentials(monkeypatch)
    with FakeVertex().serve() as fake:
        monkeypatch.setattr(google_cloud, "connect", lambda *_: fake.job_client())
        monkeypatch.setattr(job_service, "_sleep", lambda seconds: None)
        impatient = google_cloud.patience

        def patience(
            seconds: float = 2.0, stopped: Callable[[], bool] | None = None
        ) -> retry.Retry:
            return impatient(min(seconds, 2.0), stopped).with_delay(initial=0.01, maximum=0.02)

        monkeypatch.setattr(google_cloud, "patience", patience)
        yield fake
