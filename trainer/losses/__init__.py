"""Distances, mining and losses on batches of descriptors. May import `trainer.model` and below."""
