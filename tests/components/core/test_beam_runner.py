"""Beam's runner for one machine."""

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import StandardOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import create_runner

from components.core import beam_runner


def test_a_pipeline_that_names_no_runner_gets_it(monkeypatch):
    monkeypatch.setattr(StandardOptions, "DEFAULT_RUNNER", "DirectRunner")
    beam_runner.use_direct_runner_by_default()

    assert type(beam.Pipeline(argv=[]).runner) is FnApiRunner


@pytest.mark.parametrize("name", ["DirectRunner", "direct", "directrunner"])
def test_the_short_names_become_the_full_one(name):
    (option,) = beam_runner.with_full_name([f"--runner={name}"])

    assert type(create_runner(option.partition("=")[2])) is FnApiRunner


def test_other_options_stay():
    options = ["--runner=FlinkRunner", "--direct_num_workers=2", "--labels=runner=direct"]

    assert beam_runner.with_full_name(options) == options
