"""What an expert of a bank can be, a file each."""
