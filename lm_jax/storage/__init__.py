"""Stores runs on disk: run directories, checkpoints and their identity."""
