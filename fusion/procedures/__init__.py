"""What is done with attached adapters: share, transfer, generate, convert, pack."""
