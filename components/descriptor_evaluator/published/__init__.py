"""Published results of other descriptors, to stand beside one's own.

Imports the protocol's names alone: neither TensorFlow nor TFX.
"""
