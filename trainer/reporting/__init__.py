"""What is measured and shown of a run: validation, TensorBoard, timeline, results.

May import `trainer.curriculum`, `trainer.data` and `trainer.core`.
"""
