"""What the demo's model does on real scenes, in numbers and as the README's picture."""
