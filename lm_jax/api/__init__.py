"""The door for Python: models, experiments, and tables of their results."""
