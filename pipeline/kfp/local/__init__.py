"""Runs the tasks of a compiled pipeline on this machine. May import `pipeline.kfp`."""
