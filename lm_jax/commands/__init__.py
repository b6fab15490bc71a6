"""What the command line knows: flags, listings, the doctor."""
