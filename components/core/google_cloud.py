"""What calls to Google Cloud have in common: patience with short outages, errors in words."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

from google.api_core import exceptions, retry
from google.auth import exceptions as auth_exceptions

from components.core import services

_Client = TypeVar("_Client", bound=Any)
_PASSING = (
    exceptions.ServiceUnavailable,
    exceptions.DeadlineExceeded,
    exceptions.InternalServerError,
    exceptions.BadGateway,
    exceptions.TooManyRequests,
    exceptions.Aborted,
)
_BETWEEN_LOOKS = 5.0  # of the thirty or so that Vertex AI leaves after SIGTERM
CALL_SECONDS = 60.0
"""What a single call may take."""


def is_passing(error: BaseException) -> bool:
    """Tells whether a call that starts something is worth repeating.

    Without quota or capacity it is not.
    """
    if isinstance(error, exceptions.ResourceExhausted):
        return False
    return isinstance(error, _PASSING)


def patience(
    seconds: float = services.PATIENCE_SECONDS, stopped: Callable[[], bool] | None = None
) -> retry.Retry:
    """See `services.patience`; for such calls an exhausted quota is one per minute, and passes.

    Args:
        seconds: Time for all attempts.
        stopped: Looked at between two of them, a few seconds apart: whether to give up.
    """
    passes = retry.if_exception_type(*_PASSING)
    if stopped is None:
        return services.patience(passes, seconds)
    return services.patience(
        lambda error: passes(error) and not stopped(), seconds, most_between=_BETWEEN_LOOKS
    )


def translate_errors(doing: str, place: str) -> contextlib.AbstractContextManager[None]:
    """See `services.translated`."""
    errors = (exceptions.GoogleAPIError, auth_exceptions.GoogleAuthError)
    return services.translated(doing, place, errors, _in_words)


def connect(kind: type[_Client], location: str, place: str) -> _Client:
    """Returns a client of Vertex AI's endpoint in a region, with the environment's credentials.

    Raises:
        UserError: When there are no credentials.
    """
    with translate_errors("connecting to Vertex AI", place):
        endpoint = f"{location}-aiplatform.googleapis.com"
        return kind(client_options={"api_endpoint": endpoint})


def _in_words(error: Exception) -> str:
    if isinstance(error, exceptions.RetryError) and error.cause is not None:
        minutes = services.PATIENCE_SECONDS / 60
        return f"no answer over {minutes:.0f} minutes ({_said(error.cause)}); try again later"
    said = _said(error)
    if isinstance(error, auth_exceptions.GoogleAuthError | exceptions.Unauthenticated):
        return (
            f"the credentials are missing or not accepted ({said}); expected those of a service "
            f"account of the machine, or your own after `gcloud auth application-default login`"
        )
    if isinstance(error, exceptions.Forbidden) and _is_switched_off(error):
        return (
            f"the API is switched off ({said}); `gcloud services enable aiplatform.googleapis.com "
            f"--project PROJECT` switches it on"
        )
    if isinstance(error, exceptions.Forbidden):
        return (
            f"permission denied ({said}); expected an account with the role roles/aiplatform.user "
            f"and, for a job's own service account, roles/iam.serviceAccountUser on it"
        )
    if isinstance(error, exceptions.ResourceExhausted):
        return (
            f"insufficient quota or capacity ({said}); ask for quota, choose another region or a "
            f"smaller machine, or wait"
        )
    if isinstance(error, exceptions.NotFound):
        return (
            f"not found ({said}); expected a project with the Vertex AI API switched on and a "
            f"region that it serves"
        )
    if is_passing(error) and "DNS resolution failed" in said:
        return (
            f"there is no such address ({said}); expected a region of Vertex AI, and a way to the "
            f"internet"
        )
    if is_passing(error):
        return f"the service does not answer ({said}); try again later"
    return f"refused ({said})"


def _is_switched_off(error: exceptions.GoogleAPICallError) -> bool:
    """Tells a project without the API from an account without permission, both Forbidden."""
    return error.reason == "SERVICE_DISABLED" or "has not been used in project" in error.message


def _said(error: BaseException) -> str:
    return services.one_line(getattr(error, "message", "") or error)
