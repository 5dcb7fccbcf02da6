"""What it costs to grow, and what large data would need by that."""
