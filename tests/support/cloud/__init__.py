"""Fakes of clouds, and what keeps tests away from the real ones."""
