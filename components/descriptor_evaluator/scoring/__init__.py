"""From descriptors to scores per unit, in-process or mapped by Beam, and their cache by content.

May import report_data and below; knows nothing of the gate.
"""
