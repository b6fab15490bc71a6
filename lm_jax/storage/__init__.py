"""What lies on disk: run directories and checkpoints, and whose they are."""
