"""The training run: devices, steps, checkpoints, resuming. May import all of `trainer`."""
