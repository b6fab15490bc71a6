"""Refuses objectives that live on sentences where a corpus has none."""

from __future__ import annotations

from collections.abc import Iterable

from absl import logging

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.config import phases as phases_lib
from lm_jax.data import rows as rows_lib
from lm_jax.support.errors import UsageError

# A smaller share of rows is told.
_FEW = 0.25


def _need(config: Config) -> tuple[str, str]:
  """Names an objective of the run that needs sentences, and what for."""
  # Older rules find few in other languages; such a run goes on as it began.
  if not config.task and config.data.segmentation != "english":
    for one in phases_lib.configs(config):
      if use := config_lib.build(one).objective.uses_sentences:
        return one.objective, use
  return "", ""


def require(config: Config, dataset: rows_lib.Dataset) -> None:
  """Raises UsageError if a run needs sentences and no row holds two.

  Warns where few rows do.

  Args:
    config: of the run.
    dataset: its rows.
  """
  name, use = _need(config)
  share = dataset.paired_share() if name else 1.0
  if not share:
    raise UsageError(
      f"--objective={name}: {use}, and no row of the training split of"
      f" --data.corpus={dataset.corpus.name} holds two sentences of a document"
    )
  if share < _FEW:
    logging.warning(
      "--objective=%s: %s, and %.0f %% of the training rows hold two sentences;"
      " a larger --length holds more",
      *(name, use, 100 * share),
    )


def check(configs: Iterable[Config]) -> None:
  """Applies `require` to runs; reads each corpus once, where it is needed."""
  seen = set()
  for config in configs:
    key = (config.data, config.length)
    if key not in seen and _need(config)[0]:
      require(config, rows_lib.load(*key))
      seen.add(key)
