"""Layouts of data sets of labelled sounds."""
