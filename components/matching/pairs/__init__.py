"""Matching of image pairs with known homographies: repeatability, matching score, corner error."""
