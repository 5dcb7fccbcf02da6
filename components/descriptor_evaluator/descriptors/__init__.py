"""Where descriptors come from: models, handcrafted methods, CSV trees, and the store on disk.

May import the protocol and `components.example_gen`.
"""
