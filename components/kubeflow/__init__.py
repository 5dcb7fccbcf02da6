"""What stands between Kubeflow's launcher and our executors in a task's container.

May import `components.core` and `trainer`; TFX inside functions only.
"""
