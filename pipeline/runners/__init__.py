"""Ways to run the one DAG: on this machine, or compiled for Kubeflow Pipelines and Vertex AI."""
