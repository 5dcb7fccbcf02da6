"""What the report shows beyond numbers: curves, worst cases, a map of descriptors.

May import descriptors and the protocol.
"""
