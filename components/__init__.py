"""The pipeline's TFX components."""

import trainer  # noqa: F401 (before TensorFlow: it chooses its kernels)
