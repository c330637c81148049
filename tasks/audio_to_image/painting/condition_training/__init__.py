"""Trainings of what a painter is told beside sounds."""
