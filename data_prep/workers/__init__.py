"""Many items at once: cores, a cluster, and going on where it stopped."""
