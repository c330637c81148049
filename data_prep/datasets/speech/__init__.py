"""Layouts of data sets of speech."""
