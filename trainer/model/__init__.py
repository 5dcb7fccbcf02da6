"""The network, its export and its byte descriptors. May import `trainer.data` and `core`."""
