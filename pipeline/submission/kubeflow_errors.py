"""What becomes of the errors of Kubeflow's client: which are worth patience, and words for all."""

from __future__ import annotations

import contextlib
import re

from google.api_core import retry
from google.api_core.exceptions import RetryError
from kfp_server_api import ApiException
from urllib3.exceptions import HTTPError, SSLError

from components.core import services
from trainer.core.documents import read_json

_PASSING = (408, 429, 502, 503, 504)
_UNREACHED = 0  # what stands for the status when there was no answer
_PATIENCE_AT_FIRST = 20.0  # seconds
_OBJECT = re.compile(r"<[^<>]* object at 0x[0-9a-f]+>: ")


def is_passing(error: BaseException) -> bool:
    """Tells whether a call may succeed a little later."""
    if isinstance(error, ApiException):
        return error.status in _PASSING
    return isinstance(error, HTTPError) and not _is_about_trust(error)


def patience(seconds: float = services.PATIENCE_SECONDS) -> retry.Retry:
    """See `services.patience`."""
    return services.patience(is_passing, seconds)


def patience_at_first() -> retry.Retry:
    """Returns what repeats the first calls: a little, and not where nobody answers at all.

    A wrong address is to be told at once.
    """
    return patience(_PATIENCE_AT_FIRST).with_predicate(
        lambda error: isinstance(error, ApiException) and is_passing(error)
    )


def translate_errors(doing: str, host: str) -> contextlib.AbstractContextManager[None]:
    """See `services.translated`; the place is the address of Kubeflow Pipelines."""
    errors = (RetryError, ApiException, HTTPError)
    return services.translated(doing, host, errors, _in_words)


def _in_words(error: Exception) -> str:
    if isinstance(error, RetryError) and isinstance(error.cause, Exception):
        error = error.cause
    said = _said(error)
    status = error.status if isinstance(error, ApiException) else _UNREACHED
    if status == 401:
        return (
            f"access denied ({said}); expected a token that is valid, in a file that --token-file "
            "names"
        )
    if "exceeded quota" in said or (status == 429 and "quota" in said.lower()):
        return (
            f"insufficient quota ({said}); end other runs, or ask for more quota in the namespace"
        )
    if status == 403:
        return (
            f"permission denied ({said}); expected an account that may create runs in the "
            "namespace (in Kubeflow: a contributor of that profile), and its token in the file "
            "that --token-file names"
        )
    if status == 404:
        return (
            f"not found ({said}); expected as --host the address that the API is below, e.g. "
            "https://KUBEFLOW/pipeline, and an experiment and a namespace that exist"
        )
    if status in _PASSING:
        return f"the service does not answer ({said}); try again later"
    if status >= 500:
        return f"the service failed ({said}); see the log of its ml-pipeline deployment"
    if status:
        return f"refused ({said})"
    if _is_about_trust(error):
        return (
            f"its certificate is not trusted ({said}); name the certificate of who signed it "
            "with --ca-cert"
        )
    return (
        f"cannot be reached ({said}); expected as --host the address of Kubeflow Pipelines, e.g. "
        "http://localhost:8080 while `kubectl port-forward -n kubeflow svc/ml-pipeline-ui 8080:80`"
        " runs"
    )


def _is_about_trust(error: BaseException) -> bool:
    return isinstance(error, SSLError) or isinstance(getattr(error, "reason", None), SSLError)


def _said(error: Exception) -> str:
    text = str(getattr(error, "reason", None) or error)
    if isinstance(error, ApiException):
        text = _message(error.body) or f"{error.status} {error.reason}"
    return services.one_line(_OBJECT.sub("", text))


def _message(body: str | bytes | None) -> str:
    """Returns what the API says in its answer; nothing when that is a page for people."""
    try:
        answer = read_json(body or "")
    except ValueError:
        return ""
    if not isinstance(answer, dict):
        return ""
    return str(answer.get("message") or answer.get("error") or "")
