"""Photographs, image sequences and patch releases become sequence-sharded records.

Imports go down: component, executor, then shards, splits and extract, then formats, geometry,
settings.
"""
