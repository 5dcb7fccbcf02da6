"""Compiled pipelines (KFP PipelineSpec 2.1): reading, adapting and checking them."""
