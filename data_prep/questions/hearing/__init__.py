"""Sounds with questions: digits said one after the other, and animals."""
