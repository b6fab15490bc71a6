"""The version of lm_jax, which setup.cfg reads and results record."""

__version__ = "0.1.0"
