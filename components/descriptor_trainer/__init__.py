"""The Trainer component: training in this process, or (`vertex`) in a job on Vertex AI.

May import the production model, `components.core` and `trainer`.
"""
