import apache_beam as beam
import pytest

from components.core.beam_runner import DIRECT_RUNNER
from components.core.user_errors import user_errors
from trainer.core.errors import UserError


class Refuse(beam.DoFn):
    def process(self, element):
        raise UserError(f"{element}: width is 64, expected 65")


def test_a_sentence_raised_in_a_beam_worker_comes_back_whole():
    with (
        pytest.raises(UserError, match=r"^e1\.png: width is 64, expected 65$"),
        user_errors(),
        beam.Pipeline(runner=DIRECT_RUNNER) as pipeline,
    ):
        _ = pipeline | beam.Create(["e1.png"]) | beam.ParDo(Refuse())


def test_other_errors_keep_their_type():
    with pytest.raises(ZeroDivisionError), user_errors():
        _ = 1 / 0
