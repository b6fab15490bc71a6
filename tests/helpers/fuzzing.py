"""Inputs from nowhere good, for the tests in fuzz/: valid files, then broken.

A failure prints the input, `@reproduce_failure(...)` to be put above `check`
in `fuzz`, and, in a soak, the seed for `pytest --hypothesis-seed=...`.
"""

from __future__ import annotations

import collections
import contextlib
import copy
import datetime
import json
import pathlib
import resource
import time
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from lm_jax.support.errors import UsageError

COUNTS = pytest.mark.parametrize(
  "count",
  [100, pytest.param(10_000, marks=pytest.mark.soak)],
  ids=["short", "soak"],
)
# What one input may take, on a machine that does other things as well.
_LONGEST = datetime.timedelta(seconds=20)
_MEMORY = 2 << 30  # bytes that it may ask for

# Values that a field may not have been made for.
ODD: list[Any] = [
  *(None, True, False, 0, 1, -1, 2, 3, 7, 2**31 - 1, 2**31, 2**32, 2**63),
  *(10**30, 10**400, -(10**400), 0.0, -0.0, 0.5, 1e-320, 1e308, -1e308),
  *("", "x", "mlm", "..", "../../x", "/etc/passwd", "~", "*", "a\0b", "\ud800"),
  *("a" * 5000, "<script>alert(1)</script>", "\x1b[31mred\r\n", "\u202e", "é"),
  *([], {}, [[]], [0], [-1, 1], ["x"], [None], {"a": {}}, {"": 0}, [1.5] * 40),
]
# Text that stands where a value would, and that no writer makes.
_RAW = (
  *("1e999", "-1e999", "NaN", "Infinity", "9" * 5000, "1" + "0" * 4000),
  *("[" * 5000 + "]" * 5000, "[" * 100_000, '{"a":' * 3000 + "1" + "}" * 3000),
  *(r'"\ud800"', '{"a": 1, "a": 2}', "tru", "0x10", "", ",", '"\x01"', "1_0"),
)
_MARK = "@raw@"


@st.composite
def trees(draw: Any, valid: list[Any]) -> Any:
  """One of some JSON values with a few of its parts deleted or replaced."""
  tree = copy.deepcopy(draw(st.sampled_from(valid)))
  for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2, 3]))):
    places = list(_places(tree))
    if not places:
      break
    holder, key = draw(st.sampled_from(places))
    act = draw(st.sampled_from(["odd", "odd", "any", "delete", "key", "swap"]))
    if act == "delete":
      del holder[key]
    elif act == "key" and isinstance(holder, dict):
      name = draw(st.sampled_from(["x", "", "a.b", "../x", "\n", "é" * 300]))
      holder[name] = holder.pop(key)
    elif act == "swap":
      other, there = draw(st.sampled_from(places))
      with contextlib.suppress(LookupError):
        holder[key] = copy.deepcopy(other[there])
    else:
      some = st.sampled_from(ODD) if act == "odd" else _ANY
      holder[key] = copy.deepcopy(draw(some))
  return tree


_ANY = st.recursive(
  st.none()
  | st.booleans()
  | st.integers()
  | st.floats(allow_nan=False)
  | st.text(max_size=20),
  lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=5), x),
  max_leaves=5,
)


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
  if isinstance(tree, (dict, list)):
    for key, value in (
      tree.items() if isinstance(tree, dict) else enumerate(tree)
    ):
      yield tree, key
      yield from _places(value)


@st.composite
def texts(draw: Any, valid: list[Any]) -> bytes:
  """The text of a broken JSON value, in a fifth of the cases broken itself."""
  tree = draw(trees(valid))
  how = draw(st.sampled_from(["as it is"] * 6 + ["raw", "raw", "bytes", "any"]))
  if how == "any":
    return draw(st.binary(max_size=200))
  raw = ""
  if how == "raw" and (places := list(_places(tree))):
    holder, key = draw(st.sampled_from(places))
    holder[key], raw = _MARK, draw(st.sampled_from(_RAW))
  text = json.dumps(tree, ensure_ascii=draw(st.booleans()))
  text = text.replace(json.dumps(_MARK), raw)
  data = text.encode("utf-8", "surrogatepass")
  return draw(damaged(data)) if how == "bytes" else data


@st.composite
def damaged(draw: Any, data: bytes) -> bytes:
  """Bytes cut, spliced, flipped, or with others before or in them."""
  place = draw(st.integers(0, max(0, len(data) - 1)))
  act = draw(st.sampled_from(["cut", "flip", "insert", "drop", "before"]))
  if act == "cut":
    return data[:place]
  if act == "before":
    return draw(st.sampled_from([b"\xef\xbb\xbf", b"\0", b"\xff\xfe"])) + data
  broken = bytearray(data)
  if act == "flip" and broken:
    broken[place] ^= 1 << draw(st.integers(0, 7))
  elif act == "insert":
    broken[place:place] = draw(st.binary(min_size=1, max_size=20))
  else:
    del broken[place : place + draw(st.integers(1, 40))]
  return bytes(broken)


@contextlib.contextmanager
def bounded_memory() -> Iterator[None]:
  """Asking for much more memory raises MemoryError meanwhile."""
  pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
  old = resource.getrlimit(resource.RLIMIT_AS)
  limit = pages * resource.getpagesize() + _MEMORY
  resource.setrlimit(resource.RLIMIT_AS, (limit, old[1]))
  try:
    yield
  finally:
    resource.setrlimit(resource.RLIMIT_AS, old)


def attempt(
  read: Callable[[], Any], where: object, errors: Any = UsageError
) -> tuple[str, Any]:
  """("valid", what `read` gives) or ("refused", None); nothing else may be.

  Args:
    read: takes the input.
    where: what a refusal must name, the file.
    errors: that a refusal may be.
  """
  try:
    with bounded_memory():
      return "valid", read()
  except errors as error:
    text = str(error)
    assert text.isprintable(), f"not one line: {text!r}"
    assert len(text) <= 2000
    assert str(where) in text, f"does not name {where}: {text}"
  return "refused", None


def fuzz(
  name: str,
  count: int,
  inputs: st.SearchStrategy,
  read: Callable[[Any], list[str]],
  shares: dict[str, float],
) -> None:
  """Tries so many inputs, and prints how they ended.

  Args:
    name: of the reader.
    count: of inputs; up to 1,000 of them are the same at every call.
    inputs: what to try.
    read: gives words on how an input ended; raises where that is wrong.
    shares: of the inputs that must at least have ended so: else the fuzz
      tests the first gate only.
  """
  tally: collections.Counter[str] = collections.Counter()

  @hypothesis.settings(
    max_examples=count,
    derandomize=count <= 1000,
    deadline=_LONGEST,
    database=None,
    print_blob=True,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
  )
  @hypothesis.given(inputs)
  def check(value: Any) -> None:
    tally.update(["tried", *read(value)])

  start = time.monotonic()
  check()
  seconds = time.monotonic() - start
  found = ", ".join(f"{n} {word}" for word, n in sorted(tally.items()))
  print(f"fuzz {name}: {found}, {seconds:.0f} s")
  assert tally["tried"] >= 0.9 * count, "there are too few different inputs"
  for word, share in shares.items():
    assert tally[word] >= share * tally["tried"], f"few are {word}: {found}"


def is_json(data: bytes | str) -> list[str]:
  """["JSON"] if that is what it is: the first gate."""
  try:
    json.loads(data)
  except (ValueError, RecursionError):
    return []
  return ["JSON"]
