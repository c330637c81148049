"""A talker of one's own: sets for a face and a voice, from a few minutes of clips."""
