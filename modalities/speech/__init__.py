"""Whisper, its weight formats, and voice activity."""
