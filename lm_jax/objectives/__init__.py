"""Pretraining objectives, one file each, named after its file."""
