"""The schema of the records (`schema.pbtxt`), and the component that hands it to the pipeline."""
