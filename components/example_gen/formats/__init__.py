"""Readers of the data formats, each returning image sequences. May import geometry and settings."""
