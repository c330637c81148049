"""Modules that join lips and sound."""
