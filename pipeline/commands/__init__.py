"""The commands of `hpatches`, a module each; heavy imports are left to the commands' bodies."""
