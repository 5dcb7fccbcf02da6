"""Trains descriptors with TensorFlow alone: no TFX, no Beam. `python -m trainer` is its command.

Imports go down: engine, reporting, curriculum, losses, model, data, core.
"""
