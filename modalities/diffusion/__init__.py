"""Denoisers that paint pictures, and how sounds are told to them."""
