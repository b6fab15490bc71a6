"""Prompt learning without training: templates, shots, choices, votes."""
