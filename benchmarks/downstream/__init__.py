"""Descriptors in structure from motion: COLMAP reconstructs a scene from them."""
