"""Waveform front ends: resampling and log-mel spectrograms."""
