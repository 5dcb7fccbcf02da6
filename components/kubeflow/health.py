"""`python -m components.kubeflow.health`: whether a container could start the pipeline's tasks.

The health command of the image `pipeline`: loads the command line, TFX's entry point and what
every task imports.
"""

from __future__ import annotations

import sys

from components.kubeflow.run_executor import TFX_ENTRY_POINT
from trainer import health

MODULES = (
    *health.MODULES,
    TFX_ENTRY_POINT,
    "components.kubeflow.run_executor",
    "components.example_gen.executor",
    "components.descriptor_trainer.executor",
    "components.descriptor_evaluator.executor",
    "components.serving.serving_validator.executor",
    "components.serving.pusher.executor",
)


if __name__ == "__main__":
    sys.exit(health.tell(health.check(MODULES)))
