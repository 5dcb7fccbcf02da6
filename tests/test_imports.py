"""What loads without the heavy libraries; the directions of imports are import-linter's."""

import subprocess
import sys

import pytest

HEAVY = (
    "tensorflow", "tf_keras", "tfx", "apache_beam", "ml_metadata", "cv2", "pandas", "scipy",
    "skimage", "sklearn", "matplotlib",
)  # fmt: skip
EXAMPLE_GEN = "import components.example_gen."
EVALUATOR = "import components.descriptor_evaluator."


def run(code: str) -> list[str]:
    """Runs code in a new process and returns the heavy libraries that it has loaded."""
    code = f"import sys\n{code}\nprint(*(name for name in {HEAVY} if name in sys.modules))"
    return subprocess.check_output([sys.executable, "-c", code], text=True).split()


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("import pipeline.cli", ()),
        ("from pipeline.config.tree import load_config; load_config('demo')", ()),
        ("from pipeline.runs import clean, records, rollback", ()),
        ("from components.datasets import archives, catalogue, download, fetch, layout", ()),
        (EXAMPLE_GEN + "settings; " + EXAMPLE_GEN + "formats.demo_photographs", ()),
        (EXAMPLE_GEN + "extract; " + EXAMPLE_GEN + "splits", ("cv2", "scipy")),
        (
            "from components.example_gen import registry\n"
            "from components.example_gen.formats import reading\n"
            "for name in registry.FORMATS: reading.get(name)",
            ("cv2", "scipy"),
        ),
    ],
)
def test_only_what_is_needed_is_loaded(code, allowed):
    assert set(run(code)) <= set(allowed)
