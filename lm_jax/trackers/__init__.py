"""Trackers: programs that show runs while they go on, one file each."""
