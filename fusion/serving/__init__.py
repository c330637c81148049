"""Many adapter sets on one model at once: what they share, and how they come and go."""
