"""Implements the transformer: attention, layers, stack, outputs, sizes."""
