"""Python: a line left out of a function, from what stands around it."""

from __future__ import annotations

import ast
import pathlib
import random
import re
import sysconfig
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from lm_jax.tasks import base

ITEMS, TOKENS = 200, 64
SHORTEST, LONGEST = 4, 40  # lines of a function
FEWEST = 8  # characters of a line that is left out
_LEFT_OUT = {"test", "tests", "site-packages", "idlelib", "lib2to3"}


class Hole(NamedTuple):
  """A function with a line left out; `before` ends with its indentation."""

  id: str
  before: str
  line: str
  after: str


class PythonFunctions(base.DataTask):
  """Fill-in-the-middle of single lines (Fried et al. 2023, section 4.1).

  Models that fill blanks see both sides, and are told how many tokens the
  line has; others go on with what stands before it, up to the end of the
  line. So the two do not compare, and the metrics say which it was. Exact
  match, without white space; edit similarity, 1 - Levenshtein distance /
  longer length. By default one function of each of 200 files of the running
  Python's standard library, drawn by the seed; else the .py files of a
  directory.
  """

  def measure(self, scorer, dataset, quick=False) -> base.Measure:
    if not scorer.fills:
      scorer.require_generator(self.name)
    holes = list(self.holes())
    if not holes:
      raise self.error("no .py file with a function of a few lines")
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
    return base.Measure(metrics, {name: alike}, predictions)

  def holes(self) -> Iterator[Hole]:
    """One of each file, at most, in an order drawn by the seed."""
    root = pathlib.Path(self.place or sysconfig.get_path("stdlib"))
    root = root.expanduser()
    if not root.is_dir():
      raise self.error("is no directory of .py files")
    paths = sorted(root.rglob("*.py"))
    if not self.place:
      paths = [p for p in paths if not _LEFT_OUT & {*p.relative_to(root).parts}]
    rng = random.Random(self.seed)
    rng.shuffle(paths)
    left = self.limit or ITEMS
    for path in paths:
      hole = _hole(path, str(path.relative_to(root)), rng)
      if hole is not None:
        yield hole
        left -= 1
      if not left:
        return


def _hole(path: pathlib.Path, name: str, rng: random.Random) -> Hole | None:
  """A random line of a random function of a file, if it has one."""
  try:
    source = path.read_text("utf-8")
    tree = ast.parse(source)
  except (SyntaxError, ValueError, RecursionError):
    return None  # of another Python, or of tests of its parser
  lines = source.splitlines()
  places = []
  for node in ast.walk(tree):
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
      first, last = node.lineno, node.end_lineno or node.lineno
      body = node.body[1 if ast.get_docstring(node) else 0 :]
      if body and SHORTEST <= last - first + 1 <= LONGEST:
        for at in range(body[0].lineno, last + 1):
          line = lines[at - 1].strip()
          if len(line) >= FEWEST and not line.startswith("#"):
            places.append((first, at, last))
  if not places:
    return None
  first, at, last = rng.choice(places)
  line = lines[at - 1]
  indent = len(line) - len(line.lstrip())
  before = "".join(f"{each}\n" for each in lines[first - 1 : at - 1])
  after = "".join(f"\n{each}" for each in lines[at:last])
  return Hole(f"{name}:{at}", before + line[:indent], line.strip(), after)


def bare(line: str) -> str:
  """Without white space, which tokenizers may not keep."""
  return re.sub(r"\s+", "", line)


def similarity(one: str, other: str) -> float:
  """1 - Levenshtein distance / the longer length.

  >>> similarity("abc", "abd"), similarity("", "")
  (0.6666666666666667, 1.0)
  """
  above = np.arange(len(other) + 1)
  letters = np.array([ord(sign) for sign in other], np.int64)
  steps = np.arange(len(other) + 1)
  for i, sign in enumerate(one, start=1):
    change = np.minimum(above[1:] + 1, above[:-1] + (letters != ord(sign)))
    row = np.concatenate([[i], change])
    # Insertions: the least of all places to the left, and the way from there.
    above = np.minimum.accumulate(row - steps) + steps
  return 1.0 - float(above[-1]) / max(len(one), len(other), 1)
