"""Labelled sounds and their protocols."""
