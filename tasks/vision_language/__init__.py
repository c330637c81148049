"""Vision and language: one frozen language model, several tasks, few trained weights."""
