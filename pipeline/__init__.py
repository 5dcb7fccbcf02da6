"""What runs where: the `hpatches` command, the configuration, the DAG and its runners.

May import `components` and `trainer`.
"""

import trainer  # noqa: F401 (before TensorFlow: it chooses its kernels)
