"""Which model is in production: versions in the push destination, and the component for it.

May import `components.core` and `trainer`.
"""
