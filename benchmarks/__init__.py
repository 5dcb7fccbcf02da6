"""What docs/benchmarks.md claims, measured: `python -m benchmarks`."""

import trainer  # noqa: F401 (before TensorFlow: it chooses its kernels)
