"""What is trained for audio-visual speech recognition, each a task of the one loop."""
