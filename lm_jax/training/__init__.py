"""Trains a model from a configuration, and records the run."""
