"""Chooses the Python and the lock for this machine and makes the environment for them.

Runs on any Python from 3.8 on, with nothing but its standard library; on Debian that is one
without pip, ensurepip and a compiler.
"""
