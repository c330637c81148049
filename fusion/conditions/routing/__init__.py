"""What decides which conditions count, how much, and where in a denoiser."""
