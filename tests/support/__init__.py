"""Fixtures and fakes that tests of several packages share."""
