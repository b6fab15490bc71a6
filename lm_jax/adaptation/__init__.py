"""Adaptations: what is trained in the place of a model's own parameters."""
