"""Verification of patch pairs on Brown's PhotoTour sets (FPR95).

May import what `components.matching` may.
"""
