"""What Google's clients raise, in one sentence each."""

import pytest
from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError

from components.core import google_cloud
from trainer.core.errors import UserError


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            exceptions.PermissionDenied("Permission 'aiplatform.customJobs.create' denied"),
            r"permission denied .Permission 'aiplatform.customJobs.create' denied.*"
            r"roles/aiplatform.user",
        ),
        (
            exceptions.PermissionDenied(
                "Vertex AI API has not been used in project 12 before or it is disabled."
            ),
            r"the API is switched off .*gcloud services enable aiplatform.googleapis.com",
        ),
        (
            exceptions.ResourceExhausted(
                "The following quota metrics exceed quota limits: custom_model_training_tpu_v5e"
            ),
            "insufficient quota or capacity .*custom_model_training_tpu_v5e.*ask for quota",
        ),
        (exceptions.NotFound("project gone"), "not found .project gone.*API switched on"),
        (
            exceptions.Unauthenticated("no token"),
            "credentials are missing or not accepted .no token.*application-default login",
        ),
        (
            DefaultCredentialsError("Your default credentials were not found."),
            "credentials are missing.*gcloud auth application-def",
        ),
        (exceptions.InvalidArgument("bad image"), "refused .bad image."),
        (exceptions.FailedPrecondition("no agent"), "refused .no agent."),
        (
            exceptions.ServiceUnavailable(
                "DNS resolution failed for us-west44-aiplatform.googleapis.com:443"
            ),
            "no such address .DNS .*us-west44.*; expected a region",
        ),
        (
            exceptions.ServiceUnavailable("the service is restarting"),
            "does not answer .the service is restarting.; try again later",
        ),
        (
            exceptions.RetryError("gave up", exceptions.ServiceUnavailable("restarting")),
            r"no answer over 15 minutes \(restarting\); try again later",
        ),
        (exceptions.InternalServerError("x\n" * 1000), r"does not answer \(x x .*\.\.\.\); try"),
    ],
)
def test_an_error_is_one_sentence_that_says_what_was_done_and_where(error, message):
    with (
        pytest.raises(
            UserError, match=rf"^starting it \(project p, us-west4\): .*{message}"
        ) as told,
        google_cloud.translate_errors("starting it", "project p, us-west4"),
    ):
        raise error
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 800


def test_other_errors_stay_what_they_are():
    with pytest.raises(ZeroDivisionError), google_cloud.translate_errors("doing", "here"):
        _ = 1 / 0
