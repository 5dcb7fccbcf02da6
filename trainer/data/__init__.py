"""From records on disk to augmented batches of S x K patches. May import `trainer.core`."""
