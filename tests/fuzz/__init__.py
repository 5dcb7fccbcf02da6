"""Damaged inputs for every reader: read, or refused in one sentence."""
