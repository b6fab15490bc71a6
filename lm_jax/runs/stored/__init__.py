"""Runs and experiments on disk: found, listed, moved to the trash, removed."""
