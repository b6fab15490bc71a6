"""Experiments, one file each: the file's name is the question's."""
