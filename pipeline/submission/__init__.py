"""Starting compiled pipelines on Kubeflow and Vertex AI, and following them.

May import `pipeline.kfp`, `pipeline.config`, `components` and `trainer`.
"""
