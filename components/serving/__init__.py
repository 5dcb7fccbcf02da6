"""Models on their way to a server: what is served, whether a candidate can be, and the push.

May import `core` and `trainer`.
"""
