"""Compiled pipelines (KFP PipelineSpec 2.1): reading, adapting and checking them.

May import `pipeline.config`, `components` and `trainer`.
"""
