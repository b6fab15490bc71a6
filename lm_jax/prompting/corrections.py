"""Corrections: log-probabilities of choices to scores that are ranked.

Shape suffixes: C choices, J content-free inputs.
"""

from __future__ import annotations

import numpy as np

# Of these, "unconditional" and "calibrated" need further log-probabilities.
CORRECTIONS = ("none", "token", "byte", "unconditional", "calibrated")


def log_normalized(logs_C: np.ndarray) -> np.ndarray:
  """Log-probabilities among the choices alone: they add up to 1."""
  top = logs_C.max(axis=-1, keepdims=True)
  return logs_C - top - np.log(np.exp(logs_C - top).sum(axis=-1, keepdims=True))


def per_token(logs_C: np.ndarray, tokens_C: np.ndarray) -> np.ndarray:
  """log p / tokens (Brown et al. 2020, section 2.4)."""
  return logs_C / tokens_C


def per_byte(logs_C: np.ndarray, bytes_C: np.ndarray) -> np.ndarray:
  """log p / UTF-8 bytes of the choice, which no tokenizer decides."""
  return logs_C / bytes_C


def unconditional(logs_C: np.ndarray, neutral_C: np.ndarray) -> np.ndarray:
  """log p(choice | prompt) - log p(choice | "Answer:").

  Brown et al. 2020, section 2.4.
  """
  return logs_C - neutral_C


def calibrated(logs_C: np.ndarray, free_JxC: np.ndarray) -> np.ndarray:
  """log (p / p_cf), normalized.

  Zhao et al. 2021, section 4: q = softmax(W p + b) with W = diag(p_cf)^-1 and
  b = 0, whose largest entry is that of p / p_cf; p and p_cf are probabilities
  among the choices, and p_cf is the mean over the content-free inputs.
  """
  mean_C = np.exp(log_normalized(free_JxC)).mean(axis=0)
  mean_C = np.maximum(mean_C, np.finfo(np.float64).tiny)
  return log_normalized(logs_C) - np.log(mean_C)
