"""The TFX components, a folder each. May import `trainer`, and nothing of `pipeline`."""
