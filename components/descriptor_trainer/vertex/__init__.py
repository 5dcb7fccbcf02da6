"""Training in a job on Vertex AI: machines, the job, waiting for it, taking its results over.

May import what `components.descriptor_trainer` may, and Google's clients.
"""
