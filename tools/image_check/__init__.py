"""Proves the container images without Docker and without a registry: `make image-check`."""
