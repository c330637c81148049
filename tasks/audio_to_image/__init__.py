"""Sounds to pictures: mixtures are taken apart, ranked, and painted."""
