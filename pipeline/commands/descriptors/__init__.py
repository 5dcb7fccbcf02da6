"""Commands on patches and descriptors: extract, describe, evaluate, compare, match.

May import what `pipeline.commands` may.
"""
