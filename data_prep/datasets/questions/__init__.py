"""Layouts of data sets of questions and captions, as rows of a manifest."""
