"""What ran, what is served, what can go: behind `hpatches runs`, `rollback` and `clean`.

The command line imports these modules at its start, so none of them imports TensorFlow,
Beam or ML Metadata before a function needs it.
"""
