"""The commands of `hpatches`, a module each; heavy imports are left to the commands' bodies.

May import all of `pipeline` but `cli`.
"""
