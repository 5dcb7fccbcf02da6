"""The report of a run as one HTML page.

May import matching, the evaluator, ExampleGen, `components.core` and `trainer`.
"""
