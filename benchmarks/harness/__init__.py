"""Targets, timing in processes of their own, and ledgers of long benchmarks."""
