"""What can weigh the experts of a bank, a file each."""
