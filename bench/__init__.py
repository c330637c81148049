"""Timings against peers, as ratios measured side by side."""
