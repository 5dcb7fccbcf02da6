"""Commands on pipelines: run, compile, submit, run-spec, report, runs, rollback, clean.

May import what `pipeline.commands` may.
"""
