"""Training of patch descriptors, on TensorFlow alone."""

import os

from trainer import cpu_kernels

# Here, as it has to come before the first import of TensorFlow, wherever that is: in the command,
# in a task of a compiled pipeline, in a worker process of Beam.
cpu_kernels.choose(os.environ)
