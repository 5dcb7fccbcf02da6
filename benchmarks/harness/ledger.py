"""Results of a long benchmark on disk, so that an interrupted one goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trainer.core.errors import UserError
from trainer.core.files import write_text


class Ledger:
    """Results by key in a JSON file that is whole after each of them.

    Args:
        path: The file; made with the first result.

    Raises:
        UserError: When the file is there but is no ledger.

    Example:
        >>> import tempfile
        >>> ledger = Ledger(Path(tempfile.mkdtemp()) / "runs.json")
        >>> ledger.put("seed 1", {"map": 0.5})
        >>> Ledger(ledger.path).get("seed 1")
        {'map': 0.5}
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._results: dict[str, Any] = {}
        if self.path.exists():
            try:
                content = json.loads(self.path.read_text())
            except (OSError, ValueError) as error:
                raise UserError(
                    f"{self.path}: cannot be read as results of an earlier benchmark ({error}); "
                    f"delete it to measure anew"
                ) from error
            if not isinstance(content, dict):
                raise UserError(f"{self.path}: expected results by key; delete it to measure anew")
            self._results = content

    def get(self, key: str) -> Any:
        """Returns a result, or None while there is none."""
        return self._results.get(key)

    def put(self, key: str, result: Any) -> None:
        """Keeps a result (anything JSON knows)."""
        self._results[key] = result
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_text(str(self.path), json.dumps(self._results, indent=1, sort_keys=True) + "\n")

    def __len__(self) -> int:
        return len(self._results)
