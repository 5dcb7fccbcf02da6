"""The schema of the records (`schema.pbtxt`); no code."""
