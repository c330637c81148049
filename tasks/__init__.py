"""What a user asks for, and the command line."""
