"""Published claims: what papers say, and what comes of it here."""

from lm_jax.published.claim import (
  Claim,
  Computed,
  Number,
  Order,
  Paper,
  Scale,
  Scored,
)

__all__ = [
  "Claim",
  "Computed",
  "Number",
  "Order",
  "Paper",
  "Scale",
  "Scored",
]
