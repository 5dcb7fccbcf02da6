"""The training step and inference compiled for TPUs, without one: what their compiler says."""
