"""The one training loop, and its curves."""
