"""Adapters plus fusion as one thing on disk, with a card."""
