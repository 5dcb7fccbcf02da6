"""Verification of patch pairs on Brown's PhotoTour sets (FPR95)."""
