"""Intervals, paired comparisons and signs of degeneracy. May import the protocol, no TensorFlow."""
