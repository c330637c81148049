"""Recordings of several things at once: their manifest, pictures, and what they consist of."""
