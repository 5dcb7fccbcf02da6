"""Loads a candidate in a fresh process, as a server would, and compares its descriptors.

May import `components.core` and `trainer`; the check itself imports TensorFlow alone.
"""
