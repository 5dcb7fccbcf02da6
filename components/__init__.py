"""The TFX components, a folder each. May import `trainer`, and nothing of `pipeline`."""

import trainer  # noqa: F401 (before TensorFlow: it chooses its kernels)
