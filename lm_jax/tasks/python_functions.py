"""Measures filling a line left out of a Python function."""

from __future__ import annotations

import numpy as np

from lm_jax.examples import python_source
from lm_jax.examples.python_source import Hole
from lm_jax.tasks import base
from lm_jax.tasks._code import bare, similarity

ITEMS, TOKENS = 200, 64


class PythonFunctions(base.DataTask):
  """Measures fill-in-the-middle of single lines.

  Fried et al. 2023, section 4.1. Models that fill blanks see both sides and the
  number of tokens of the line; others continue the text before it to the end of
  the line. The two are not comparable, and have metrics of different names.
  Metrics are exact match, without white space, and edit similarity, 1 -
  Levenshtein distance / longer length. By default the data are one function of
  each of 200 files of the running Python's standard library, drawn by the seed;
  else .py files of a directory.
  """

  def measure(self, scorer, dataset, quick=False) -> base.Measure:
    if not scorer.fills:
      scorer.require_generator(self.name)
    holes = self.holes()
    if scorer.fills:
      written = [
        scorer.fill(h.before, scorer.token_count(h.line), h.after)
        for h in holes
      ]
    else:
      texts = scorer.continuations(
        [h.before for h in holes], max_new_tokens=TOKENS, stop_strings=("\n",)
      )
      written = [text.partition("\n")[0] for (text,) in texts]
    exact = [
      float(bare(w) == bare(h.line))
      for w, h in zip(written, holes, strict=True)
    ]
    alike = [
      similarity(w.strip(), h.line) for w, h in zip(written, holes, strict=True)
    ]
    name = f"{self.name}/{'fill' if scorer.fills else 'go_on'}"
    metrics = {
      f"{name}/exact": float(np.mean(exact)),
      f"{name}/similarity": float(np.mean(alike)),
      f"{self.name}/items": float(len(holes)),
    }
    predictions = [
      {
        "task": self.name,
        "id": hole.id,
        "score": alike[i],
        "exact": exact[i],
        "before": hole.before,
        "line": hole.line,
        "after": hole.after,
        "written": written[i],
      }
      for i, hole in enumerate(holes)
    ]
    items = {f"{name}/exact": exact, f"{name}/similarity": alike}
    return base.Measure(metrics, items, predictions, "generated")

  def holes(self) -> list[Hole]:
    """Makes at most one hole per file, in an order drawn by the seed."""
    limit = self.limit or ITEMS
    return python_source.holes(self.place, self.flag, limit, self.seed)
