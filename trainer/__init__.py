"""Trains descriptors with TensorFlow alone: no TFX, no Beam. `python -m trainer` is its command.

Imports go down: engine, reporting, curriculum, losses, model, data, core.
"""

import os

from trainer import cpu_kernels

# Here, as it has to come before the first import of TensorFlow, wherever that is: in the command,
# in a task of a compiled pipeline, in a worker process of Beam.
cpu_kernels.choose(os.environ)
# Ours is tf_keras; TensorFlow would load Keras 3 besides, and with it pandas and matplotlib.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
