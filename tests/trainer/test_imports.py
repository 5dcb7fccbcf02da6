"""What a TPU image need not hold."""

import ast
from pathlib import Path

import pytest

import trainer

_FOREIGN = {"tfx", "apache_beam", "tensorflow_transform", "tensorflow_model_analysis"}
_ABOVE = {"components", "pipeline"}
_MODULES = sorted(Path(trainer.__file__).parent.glob("**/*.py"))


@pytest.mark.parametrize("path", _MODULES, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_the_trainer_imports_neither_tfx_nor_beam_nor_what_is_built_on_it(path):
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    assert not imported & (_FOREIGN | _ABOVE)
