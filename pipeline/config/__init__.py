"""One tree of settings, its layers (packaged file, own file, `--set`) and its problems in words."""
