"""Ways to run the one DAG: on this machine, or compiled for Kubeflow Pipelines and Vertex AI.

May import the graph, `pipeline.kfp`, `pipeline.config`, `components` and `trainer`.
"""
