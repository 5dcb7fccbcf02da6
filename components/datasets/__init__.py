"""Published data sets fetched by name: downloaded, unpacked, checked.

May import `core`, `example_gen` and `matching`, whose readers say what a set must look like.
"""
