"""What a user can mend."""

from __future__ import annotations


class SetUpError(Exception):
    """The environment cannot be made; says what was found, what is needed and what to do."""
