"""Commands on patches and descriptors: extract, describe, evaluate, compare, match."""
