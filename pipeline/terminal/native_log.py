"""What TensorFlow's libraries write by themselves while they load, kept off the terminal.

From TensorFlow 2.21 on they do so before any option is read: no setting reaches them.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

_CHATTER = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|"
    rb"I\d{4} .*\b(?:port|cudart_stub|cpu_feature_guard|service)\.cc:|"
    rb"To enable the following instructions: "
)
_STDERR = 2
_CHUNK = 1 << 16


class QuietTensorFlow:
    """Import hook: loads TensorFlow within `without_chatter`."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Returns TensorFlow's specification; None for every other module."""
        if name != "tensorflow" or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_quietly(module: ModuleType) -> None:
                with without_chatter():
                    load(module)

            spec.loader.exec_module = load_quietly  # type: ignore[method-assign]
        return spec


@contextlib.contextmanager
def without_chatter() -> Iterator[None]:
    """Passes on what is written to file descriptor 2, less the known lines.

    The text is passed on at once, for a live display writes there too.
    """
    sys.stderr.flush()
    kept = os.dup(_STDERR)
    source, sink = os.pipe()
    os.dup2(sink, _STDERR)
    os.close(sink)
    pump = threading.Thread(target=_pass_on, args=(source, kept), daemon=True)
    pump.start()
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, _STDERR)  # closes the pipe's last end: the thread ends
        pump.join()
        os.close(source)
        os.close(kept)


def _pass_on(source: int, target: int) -> None:
    while chunk := os.read(source, _CHUNK):
        for line in chunk.splitlines(keepends=True):
            if not _CHATTER.match(line):
                os.write(target, line)
