"""From a configuration to a trained model, and what a run records."""
