"""The command `compare` by its former name, for those who import it so."""

from lm_jax.command.compare import main, run, schema

__all__ = ["main", "run", "schema"]
