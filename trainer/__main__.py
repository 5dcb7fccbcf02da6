"""`python -m trainer`: trains without a pipeline, which is what a TPU image holds."""

from __future__ import annotations

import argparse
import json
import posixpath
import sys
from pathlib import Path

import yaml
from pydantic import ValidationError

# TensorFlow is imported only after the arguments were understood: it takes seconds.


def main(arguments: list[str] | None = None) -> int:
    """Runs the command and returns its exit status (2: the user can put it right)."""
    parser = argparse.ArgumentParser(prog="python -m trainer", description=__doc__)
    parser.add_argument("--config", type=Path, help="TrainerConfig as YAML or JSON")
    parser.add_argument("--data", required=True, help="folder with manifest.json and shards")
    parser.add_argument("--output", required=True, help="gets the SavedModel and the results")
    parser.add_argument("--log-dir", help="TensorBoard's files (default: OUTPUT/logs)")
    parser.add_argument("--transform-graph", help="output of the pipeline's Transform")
    parser.add_argument("--pack-dir", help="keeps the packed patches for the next run")
    parser.add_argument("--warm-start", help="SavedModel to start from")
    parser.add_argument("--tpu", help="name of a TPU, or `local` on a TPU VM")
    options = parser.parse_args(arguments)

    from trainer.errors import UserError

    try:
        config = _config(options.config, options.tpu)
        from trainer import progress
        from trainer.loop import train

        with progress.listen(_print):
            result = train(
                config,
                options.data,
                options.transform_graph,
                options.output,
                options.log_dir or posixpath.join(options.output, "logs"),
                warm_start=options.warm_start,
                pack_dir=options.pack_dir,
            )
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    score = f", val mAP {result.validation['mean']:.3f}" if result.validation else ""
    print(f"{result.ended}: {result.steps} steps{score}; model in {result.model_path}")
    return 0


def _config(path: Path | None, tpu: str | None):
    """Reads the configuration.

    Raises:
        UserError: With the key that is wrong.
    """
    from trainer.config import TrainerConfig
    from trainer.errors import UserError

    try:
        values = {} if path is None else yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read as YAML or JSON ({error})") from error
    if not isinstance(values, dict):
        raise UserError(f"{path}: holds a {type(values).__name__}, expected keys and values")
    if tpu is not None:
        values |= {"strategy": "tpu", "tpu": tpu}
    try:
        return TrainerConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the configuration"
        found = json.dumps(first.get("input"), default=str)[:60]
        raise UserError(f"{path}: {key}: {first['msg']} (found {found})") from error


def _print(event) -> None:
    total = "" if event.total is None else f"/{event.total}"
    print(f"{event.label}: {event.done}{total} {event.detail}".rstrip(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
