"""Scores a candidate by the HPatches protocol and decides whether it may be pushed.

Imports go down: executor, then scoring and gate, then report_data, settings, descriptors,
statistics, protocol.
"""
