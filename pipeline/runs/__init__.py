"""Run records, the lock of a work folder, rollback to earlier models, and deletion of old runs.

May import the runners and what they may.
"""
