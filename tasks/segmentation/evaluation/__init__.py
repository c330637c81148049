"""Evaluation of segmenters: scores by image and by class, and a sheet of the worst cases."""
