"""Damaged files: each is read, or refused in the words that are meant for the user.

`make test-fuzz` runs 400 a reader. One that failed is tried again alone by its number:
`FUZZ_FIRST=137 FUZZ_INPUTS=1 pytest tests/fuzz -k "strip and not header"`.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest

from tests.fuzz.damage import damaged
from tests.fuzz.readers import READERS
from trainer.core.errors import UserError, printable

_FIRST = int(os.environ.get("FUZZ_FIRST", "0"))
_INPUTS = int(os.environ.get("FUZZ_INPUTS", "25"))


@pytest.mark.parametrize("name", READERS)
def test_what_is_damaged_is_read_or_refused_in_a_sentence(name: str, tmp_path: Path):
    reader = READERS[name]
    paths = reader.write(tmp_path)
    whole = {path: path.read_bytes() for path in paths}
    for path in paths:
        reader.read(tmp_path, path)  # whole, it is read
    refused = 0
    for number in range(_FIRST, _FIRST + _INPUTS):
        path = paths[number % len(paths)]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(damaged(whole[path], number, name))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", UserWarning)  # they would reach the terminal
                warnings.simplefilter("error", RuntimeWarning)
                reader.read(tmp_path, path)
        except UserError as error:
            refused += 1
            said = printable(str(error))
            assert said and all(map(str.isprintable, said.split("\n"))), f"{name} {number}: {said}"
        except Exception as error:
            raise AssertionError(f"{name}: input {number} ends in a traceback") from error
        for restored, content in whole.items():
            restored.parent.mkdir(parents=True, exist_ok=True)
            restored.write_bytes(content)
    assert refused or _INPUTS < 10 or name in _FORGIVING


# What they read is made anew, or passed over, where it is damaged.
_FORGIVING = ("checkpoint", "cached scores", "push log")
