"""Layouts of data sets of recordings in which several things sound."""
