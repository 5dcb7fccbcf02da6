"""What TensorFlow's libraries write while they load."""

import importlib
import os
import sys

import pytest

from pipeline.terminal.native_log import QuietTensorFlow, without_chatter

_CHATTER = (
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
    b"I0000 00:00:1795943731.360355   22492 port.cc:153] oneDNN custom operations are on.\n"
    b"I0000 00:00:1795943731.361281   22492 cudart_stub.cc:31] Could not find cuda drivers\n"
    b"I0000 00:00:1796053562.235691    4696 service.cc:145] XLA service 0x24b16da0 initialized\n"
)
_ERROR = b"E0000 00:00:1795943731.361281   22492 env.cc:31] Out of disk\n"


def test_known_lines_are_dropped_and_others_passed_on(capfd):
    with without_chatter():
        os.write(2, _CHATTER + _ERROR + b"half a line")
    os.write(2, b" and after")

    assert capfd.readouterr().err.encode() == _ERROR + b"half a line and after"


def test_standard_error_is_back_after_an_exception(capfd):
    with pytest.raises(ValueError), without_chatter():
        raise ValueError
    os.write(2, _CHATTER)

    assert capfd.readouterr().err.encode() == _CHATTER


def test_only_the_load_of_tensorflow_is_quiet(tmp_path, monkeypatch, capfd):
    lines = f"import os\nos.write(2, {_CHATTER + _ERROR!r})\n"
    for name in ("tensorflow", "another"):
        (tmp_path / f"{name}.py").write_text(lines)
        monkeypatch.setitem(sys.modules, name, sys)  # so that what is there now comes back
        del sys.modules[name]
    monkeypatch.syspath_prepend(tmp_path)
    hook = QuietTensorFlow()
    monkeypatch.setattr(sys, "meta_path", [hook, *sys.meta_path])

    importlib.import_module("tensorflow")
    assert capfd.readouterr().err.encode() == _ERROR
    assert hook not in sys.meta_path

    importlib.import_module("another")
    assert capfd.readouterr().err.encode() == _CHATTER + _ERROR
