"""Measures rankings by nDCG, reciprocal rank and recall, with ir-measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lm_jax.retrieval.ranking import Ranking
from lm_jax.support import optional
from lm_jax.support.errors import UsageError

DEFAULT = ("nDCG@10", "RR@10", "R@100")
_FLAG = "--measures"


class Judged(NamedTuple):
  """Measures of a run.

  metrics: means over the judged queries, by measure.
  queries: measures of each query, in the order of the judgements.
  """

  metrics: dict[str, float]
  queries: dict[str, dict[str, float]]


def parse(names: Sequence[str]) -> list[Any]:
  """Parses names of measures, in the form of ir-measures.

  Names are such as "nDCG@10", "AP", "P@5".

  Raises:
    UsageError: a measure is unknown, or cannot be computed here.
  """
  ir_measures = optional.need("ir_measures", _FLAG)
  measures = []
  for name in names:
    try:
      measure = ir_measures.parse_measure(name)
      supported = ir_measures.DefaultPipeline.supports(measure)
    except (ValueError, NameError, TypeError, SyntaxError):
      supported = False
    if not supported:
      raise UsageError(
        f"{_FLAG}={name}: unknown; valid are measures of ir-measures:"
        f" {', '.join(DEFAULT)}, AP, P@5, RR, Success@10, ..."
      )
    measures.append(measure)
  return measures


def judge(
  run: Mapping[str, Ranking],
  relevance: Mapping[str, Mapping[str, int]],
  queries: Sequence[str],
  names: Sequence[str] = DEFAULT,
) -> Judged:
  """Judges rankings; a query missing in the run counts as without results.

  Documents with equal scores are in trec_eval's order: by id, backwards.

  Args:
    run: rankings by query.
    relevance: grades by query and document.

  Raises:
    UsageError: a measure is unknown, or there is no query.
  """
  ir_measures = optional.need("ir_measures", _FLAG)
  measures = parse(names)
  if not queries:
    raise UsageError("no query has a relevant document, so nothing is judged")
  by_name = dict(zip(map(str, measures), names, strict=True))
  qrels = {query: dict(relevance[query]) for query in queries}
  values_by_query: dict[str, dict[str, float]] = {
    query: dict.fromkeys(names, 0.0) for query in queries
  }
  chosen = {query: dict(run.get(query, {})) for query in queries}
  for value in ir_measures.iter_calc(measures, qrels, chosen):
    values_by_query[value.query_id][by_name[str(value.measure)]] = float(
      value.value
    )
  metrics = {
    name: sum(values[name] for values in values_by_query.values())
    / len(queries)
    for name in names
  }
  return Judged(metrics, values_by_query)
