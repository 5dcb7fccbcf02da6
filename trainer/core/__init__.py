"""Settings, names, errors, files and signals of the trainer. Imports no other package of it."""
