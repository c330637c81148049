"""Transcripts, subtitles, previews and contact sheets."""
