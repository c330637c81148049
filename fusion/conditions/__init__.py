"""Conditions for frozen denoisers: what pictures are to be like, and how a denoiser is told."""
