"""Whole photographs as files of features, and matches between them, for COLMAP and hloc.

May import what `components.matching` may.
"""
