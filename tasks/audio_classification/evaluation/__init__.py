"""Evaluation of trained classifiers of sounds."""
