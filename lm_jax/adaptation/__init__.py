"""Adaptations: parameters that are trained instead of a model's own."""
