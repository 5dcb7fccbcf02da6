"""A worker that needs no library: counts, echoes its job, chatters, and dies when told."""

import os
import sys

from benchmarks.harness.timing import Job, serve


def _prepare(job: Job):
    def die(_: int):
        print("the reason", file=sys.stderr, flush=True)
        os._exit(3)

    def count(steps: int):
        print("chatter, no answer", flush=True)
        return sum(range(steps + 1))

    return {"count": count, "batch": lambda _: job.batch, "die": die}


if __name__ == "__main__":
    serve(_prepare)
