"""Commands on pipelines: run, compile, submit, run-spec, report, runs, rollback, clean."""
