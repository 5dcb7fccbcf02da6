"""One tree of settings, its layers (packaged file, own file, `--set`) and its problems in words.

May import `components` and `trainer`, nothing else of `pipeline`.
"""
