"""Puts a blessed model where it is served, atomically, and keeps the log of pushes.

May import the production model, `components.core` and `trainer`.
"""
