"""Platforms on this machine for each test."""

from collections.abc import Iterator

import pytest
from google.api_core import retry

from components.core import google_cloud, services
from pipeline.commands.runs import submit
from pipeline.submission import kubeflow, kubeflow_errors
from tests.support.cloud.fake_kubeflow import FakeKubeflow
from tests.support.cloud.fake_vertex import FakeVertex
from tests.support.cloud.isolation import forbid_credentials


@pytest.fixture(autouse=True)
def _nobody_waits_long(monkeypatch, tmp_path):
    """Calls are repeated at once and for a moment only; nothing of the user's is read."""
    monkeypatch.setattr(submit, "_SECONDS_BETWEEN_LOOKS", 0.0)
    for module in (google_cloud, kubeflow_errors):

        def patience(seconds: float = 2.0, original=module.patience) -> retry.Retry:
            return original(min(seconds, 2.0)).with_delay(initial=0.01, maximum=0.02)

        monkeypatch.setattr(module, "patience", patience)
    monkeypatch.setattr(services, "_sleep", lambda seconds: None)
    context = str(tmp_path / "no-context.json")
    monkeypatch.setattr(kubeflow.Client, "_LOCAL_KFP_CONTEXT", context)
    for name in ("KF_PIPELINES_ENDPOINT", "KF_PIPELINES_UI_ENDPOINT", "KF_PIPELINES_IAP_OAUTH2"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def google(monkeypatch) -> Iterator[FakeVertex]:
    """Vertex AI, with which submissions are connected."""
    forbid_credentials(monkeypatch)
    with FakeVertex().serve() as fake:
        monkeypatch.setattr(google_cloud, "connect", lambda *_: fake.pipeline_client())
        yield fake


@pytest.fixture
def cluster(monkeypatch) -> Iterator[FakeKubeflow]:
    """Kubeflow Pipelines."""
    forbid_credentials(monkeypatch)
    with FakeKubeflow().serve() as fake:
        yield fake
