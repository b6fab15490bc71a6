"""nDCG, reciprocal rank and recall against their definitions."""

import builtins
import math

import numpy as np
import pytest

from lm_jax.retrieval import measures
from lm_jax.support.errors import UsageError


def gain(grades):
  return sum(g / math.log2(i + 2) for i, g in enumerate(grades[:10]))


def by_definition(ranking, grades):
  """Järvelin and Kekäläinen 2002, with linear gains, as trec_eval has it."""
  order = sorted(ranking, key=lambda d: -ranking[d])
  found = [max(grades.get(d, 0), 0) for d in order]
  best = sorted((max(g, 0) for g in grades.values()), reverse=True)
  first = next((i for i, g in enumerate(found[:10]) if g > 0), None)
  relevant = sum(g > 0 for g in grades.values())
  return {
    "nDCG@10": gain(found) / gain(best),
    "RR@10": 0.0 if first is None else 1 / (first + 1),
    "R@100": sum(g > 0 for g in found[:100]) / relevant,
  }


def test_the_measures_are_what_their_papers_say():
  rng = np.random.default_rng(0)
  run, relevance = {}, {}
  for query in map(str, range(8)):
    score_N, judged = rng.random(300), rng.permutation(300)[:40]
    run[query] = {f"d{d}": score_N[d] for d in rng.permutation(300)[:150]}
    grades = {f"d{d}": int(rng.integers(-1, 4)) for d in judged}
    relevance[query] = grades | {"d0": 1}
  del run["3"]  # A query that found nothing counts.
  names = list(relevance)
  found = measures.judge(run, relevance, names)
  for query in names:
    wanted = by_definition(run.get(query, {}), relevance[query])
    assert found.queries[query] == pytest.approx(wanted)
  for name in measures.DEFAULT:
    values = [found.queries[query][name] for query in names]
    assert found.metrics[name] == pytest.approx(np.mean(values))
  assert found.queries["3"] == dict.fromkeys(measures.DEFAULT, 0.0)
  # Only those that are asked for.
  assert list(measures.judge(run, relevance, ["5"]).queries) == ["5"]


def test_other_measures_by_name_and_unknown_ones():
  run, relevance = {"q": {"a": 1.0, "b": 2.0}}, {"q": {"a": 1}}
  found = measures.judge(run, relevance, ["q"], ["P@1", "AP"])
  assert found.metrics == {"P@1": 0.0, "AP": 0.5}
  for name in ("ndcg", "nDCG@", "import os", ""):
    with pytest.raises(UsageError, match=f"--measures={name}: unknown"):
      measures.parse([name])
  with pytest.raises(UsageError, match="nothing is judged"):
    measures.judge(run, relevance, [])


def test_a_missing_library_is_named(monkeypatch):
  real = builtins.__import__

  def missing(name, *args, **kwargs):
    if name == "ir_measures":
      raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return real(name, *args, **kwargs)

  monkeypatch.setattr("importlib.import_module", lambda name: missing(name))
  with pytest.raises(UsageError, match=r"ir_measures; pip .*lm_jax\[tasks\]"):
    measures.parse(["AP"])
