"""Speed, memory, quality, collapse and interruption of training."""
