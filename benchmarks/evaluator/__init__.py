"""Speed of scoring and describing, and error rates of the gate."""
