"""Files, errors, execution properties and Google's clients, for all components.

May import `trainer.core` only.
"""
