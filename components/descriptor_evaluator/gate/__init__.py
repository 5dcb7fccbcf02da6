"""From scores to the verdict and the blessing.

May import the settings, the statistics, the protocol and the log of pushes.
"""
