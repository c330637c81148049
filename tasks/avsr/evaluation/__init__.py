"""Evaluation of audio-visual speech recognition in noise, with what proves that video is used."""
