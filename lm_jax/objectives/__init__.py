"""Pretraining objectives, one file each: the file's name is its name."""
