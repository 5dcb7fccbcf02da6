"""Run summaries and artifact folders for tests."""

import datetime
import os

from pipeline.runs import records

FIRST = datetime.datetime(2024, 5, 1, tzinfo=datetime.timezone.utc)


def summary(number, outputs=(), **changes):
    """The run of day `number`, whose one component has the given output folders."""
    content = {
        "run_id": f"run-{number}",
        "started": FIRST + datetime.timedelta(days=number),
        "seconds": 60.0,
        "config_name": "demo",
        "config_checksum": "abc",
        "components": (
            records.ComponentRecord(
                name="DescriptorTrainer",
                state="executed",
                outputs={"model": tuple(str(path) for path in outputs)},
            ),
        ),
    }
    return records.RunSummary(**{**content, **changes})


def artifact(work_dir, path, day, size=10):
    """An artifact folder with one file, changed on that day."""
    folder = work_dir / "artifacts" / path
    folder.mkdir(parents=True)
    file = folder / "content"
    file.write_bytes(b"x" * size)
    changed = (FIRST + datetime.timedelta(days=day)).timestamp()
    os.utime(file, (changed, changed))
    return folder
