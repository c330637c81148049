"""Questions, statements and captions about images or videos: their rows, scores and checks."""
