"""Points, measurement frames, homographies and the cutting of patches. May import the settings."""
