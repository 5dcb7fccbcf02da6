"""Patches cut as HPatches' own were, and handcrafted descriptors on them beside published AP."""
