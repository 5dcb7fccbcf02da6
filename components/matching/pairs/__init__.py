"""Matching of image pairs with known homographies: repeatability, matching score, corner error.

May import what `components.matching` may.
"""
