"""Matches photographs with descriptors, and judges descriptors by it.

May import the evaluator and `components.example_gen`.
"""
