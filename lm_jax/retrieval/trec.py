"""Reads and writes rankings in the format of trec_eval.

A line is "QUERY Q0 DOCUMENT RANK SCORE TAG"; only the score decides.
"""

from __future__ import annotations

import math
import pathlib
from collections.abc import Iterator, Mapping

from lm_jax.data import lines as lines_lib
from lm_jax.retrieval.ranking import Ranking, Run
from lm_jax.support.errors import UsageError, short

_FIELDS = 6


def lines(run: Mapping[str, Ranking], tag: str) -> Iterator[str]:
  """Yields the lines of a run, without line ends.

  Args:
    tag: name of the system, one word.
  """
  for query, ranking in run.items():
    for rank, (document, score) in enumerate(ranking.items(), start=1):
      yield f"{query} Q0 {document} {rank} {score!r} {tag}"


def content(run: Mapping[str, Ranking], tag: str) -> str:
  """Returns the text of a file."""
  return "".join(f"{line}\n" for line in lines(run, tag))


def require_new(path: pathlib.Path, flag: str) -> None:
  """Raises UsageError unless the file can be made and does not exist."""
  where = f"{flag}={path}"
  if path.exists():
    raise UsageError(f"{where}: is there already; name another file")
  if not path.parent.is_dir():
    raise UsageError(f"{where}: {path.parent} is no directory")


def read(path: pathlib.Path) -> Run:
  """Reads a run from a file, each ranking by score, highest first.

  Raises:
    UsageError: a line is not valid (with its number), or the file is empty.
  """
  run: Run = {}
  for where, line in lines_lib.texts(path):
    cells = lines_lib.words(line)
    if not cells:
      continue
    if len(cells) != _FIELDS:
      raise UsageError(
        f"{where}: has {len(cells)} fields; must be QUERY Q0 DOCUMENT RANK"
        " SCORE TAG"
      )
    query, _, document, _, text, _ = cells
    score = _number(text)
    if not math.isfinite(score):
      raise UsageError(f"{where}: score {short(text)}: must be a number")
    ranking = run.setdefault(query, {})
    if document in ranking:
      raise UsageError(
        f"{where}: document {short(document)}: is there twice for query"
        f" {short(query)}"
      )
    ranking[document] = score
  if not run:
    raise UsageError(f"{path}: is empty")
  return {
    query: dict(sorted(ranking.items(), key=lambda pair: -pair[1]))
    for query, ranking in run.items()
  }


def _number(text: str) -> float:
  try:
    return float(text)
  except ValueError:
    return math.nan
