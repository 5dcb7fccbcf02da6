"""Starting compiled pipelines on Kubeflow and Vertex AI, and following them."""
