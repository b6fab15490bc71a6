"""Takes functions from Python source and leaves out a line of each."""

from __future__ import annotations

import ast
import pathlib
import random
import sysconfig
from typing import NamedTuple

from lm_jax.data import paths as paths_lib
from lm_jax.support.errors import UsageError

SHORTEST, LONGEST = 4, 40  # lines of a function
FEWEST = 8  # characters of a line that is left out
_LEFT_OUT = {"test", "tests", "site-packages", "idlelib", "lib2to3"}


class Hole(NamedTuple):
  """A function with a line left out; `before` ends with its indentation."""

  id: str
  before: str
  line: str
  after: str


def holes(place: str, flag: str, limit: int, seed: int) -> list[Hole]:
  """Makes at most one hole per file, in an order drawn by the seed.

  Args:
    place: a directory of .py files; "" for the standard library of the
      running Python, without its tests.
    flag: names it in messages.
    limit: most files with a function.
    seed: of all random choices.

  Raises:
    UsageError: there is no such directory, or no function of a few lines in it.
  """
  root = pathlib.Path(place or sysconfig.get_path("stdlib")).expanduser()
  if not root.is_dir():
    raise UsageError(f"{flag}: is no directory of .py files")
  names = map(str, sorted(root.rglob("*.py")))
  paths = [pathlib.Path(name) for name in paths_lib.once(names)]
  if not place:
    paths = [p for p in paths if not _LEFT_OUT & {*p.relative_to(root).parts}]
  rng = random.Random(seed)
  rng.shuffle(paths)
  chosen: list[Hole] = []
  for path in paths:
    hole = _hole(path, str(path.relative_to(root)), rng)
    if hole is not None:
      chosen.append(hole)
    if len(chosen) == limit:
      break
  if not chosen:
    raise UsageError(f"{flag}: no .py file with a function of a few lines")
  return chosen


def _hole(path: pathlib.Path, name: str, rng: random.Random) -> Hole | None:
  """Leaves out a random line of a random function of a file, if it has one."""
  try:
    source = path.read_text("utf-8-sig")
    tree = ast.parse(source)
  except (SyntaxError, ValueError, RecursionError):
    return None  # of another Python, or of tests of its parser
  lines = source.split("\n")  # as `ast` counts them
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
