"""Plans, stages and the controller that moves between them: pure functions and state machines.

May import `trainer.core` only.
"""
