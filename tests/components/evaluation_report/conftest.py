"""One made-up run for all tests of the report."""

import pytest

from components.evaluation_report import page
from components.evaluation_report.material import Material
from tests.components.evaluation_report import run_folders


@pytest.fixture(scope="session")
def run(tmp_path_factory) -> Material:
    return run_folders.write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def report(run) -> str:
    """Its page."""
    return page.draw(run)
