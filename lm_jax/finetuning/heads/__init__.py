"""Heads: reading and answering examples, a file for each objective."""
