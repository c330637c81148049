"""Models that take pictures and text together."""
