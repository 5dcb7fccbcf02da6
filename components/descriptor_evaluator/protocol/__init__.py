"""The HPatches protocol: arrays and tables of tasks in, scores out.

Imports neither TensorFlow nor TFX nor Beam, and no other package of the evaluator.
"""
