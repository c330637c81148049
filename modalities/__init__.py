"""Frozen encoders and decoders, and the signal front ends that feed them."""
