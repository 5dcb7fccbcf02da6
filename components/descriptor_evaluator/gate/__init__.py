"""From scores to the verdict and the blessing. May import statistics and the protocol."""
