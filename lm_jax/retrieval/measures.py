"""How good rankings are: nDCG, reciprocal rank, recall, by ir-measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lm_jax.retrieval.ranking import Ranking
from lm_jax.support import optional
from lm_jax.support.errors import UsageError

DEFAULT = ("nDCG@10", "RR@10", "R@100")


class Judged(NamedTuple):
  """Of a run.

  metrics: means over the judged queries, by measure.
  queries: of each query the measures, in the order of the judgements.
  """

  metrics: dict[str, float]
  queries: dict[str, dict[str, float]]


def parse(names: Sequence[str], flag: str = "--measures") -> list[Any]:
  """Measures by their names of ir-measures: "nDCG@10", "AP", "P@5".

  Raises:
    UsageError: there is no such measure, or none that can be computed here.
  """
  ir_measures = optional.need("ir_measures", flag)
  found = []
  for name in names:
    try:
      measure = ir_measures.parse_measure(name)
      supported = ir_measures.DefaultPipeline.supports(measure)
    except (ValueError, NameError, TypeError, SyntaxError):
      supported = False
    if not supported:
      raise UsageError(
        f"{flag}={name}: unknown; valid are measures of ir-measures:"
        f" {', '.join(DEFAULT)}, AP, P@5, RR, Success@10, ..."
      )
    found.append(measure)
  return found


def judge(
  run: Mapping[str, Ranking],
  relevance: Mapping[str, Mapping[str, int]],
  queries: Sequence[str],
  names: Sequence[str] = DEFAULT,
  flag: str = "--measures",
) -> Judged:
  """Judges rankings; a query that the run lacks found nothing, and counts.

  Of documents with equal scores, trec_eval's order decides, which is that of
  their ids, backwards.

  Args:
    run: by query.
    relevance: grades by query and document.
    queries: those that count.
    names: of measures.
    flag: names them in messages.

  Raises:
    UsageError: a measure that is not known, or no query.
  """
  ir_measures = optional.need("ir_measures", flag)
  measures = parse(names, flag)
  if not queries:
    raise UsageError("no query has a relevant document, so nothing is judged")
  by_name = dict(zip(map(str, measures), names, strict=True))
  qrels = {query: dict(relevance[query]) for query in queries}
  found: dict[str, dict[str, float]] = {
    query: dict.fromkeys(names, 0.0) for query in queries
  }
  chosen = {query: dict(run.get(query, {})) for query in queries}
  for value in ir_measures.iter_calc(measures, qrels, chosen):
    found[value.query_id][by_name[str(value.measure)]] = float(value.value)
  metrics = {
    name: sum(values[name] for values in found.values()) / len(queries)
    for name in names
  }
  return Judged(metrics, found)
