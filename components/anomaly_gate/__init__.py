"""Stops a run whose data differ from the schema: the report, and the component around it.

May import `components.core` and `trainer`.
"""
