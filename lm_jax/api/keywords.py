"""Options as Python gives them: keyword arguments, checked as flags are.

The options of a group are a dict under its name, as in config.json:
`optimizer={"learning_rate": 1e-3}` is --optimizer.learning_rate=1e-3, and
`objective_options={"rate": 0.3}` is --objective.rate=0.3.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from typing import Any

from lm_jax.support import registry
from lm_jax.support.errors import UsageError, short
from lm_jax.support.options import Option
from lm_jax.support.values import show

SWEEP = "sweep"
# "objective" and "seed" alone are flags of their own.
_OWN = {"objective_options": "objective", "seeds": "seed"}


def flags(
  command: str, known: Mapping[str, Option], values: Mapping[str, Any]
) -> dict[str, list[str]]:
  """The flags that keyword arguments stand for: texts by path.

  That is what `lm_jax.commands.flags.parse` gives, so that whatever follows is
  the same for both.

  Args:
    command: its name, for messages.
    known: the flags that it has.
    values: the keyword arguments; a sweep is a dict of paths and values.

  Raises:
    UsageError: an unknown option, or a value of another kind.
  """
  texts: dict[str, list[str]] = {}
  for name, value in values.items():
    if name == SWEEP and name in known:
      texts[name] = _sweeps(command, value)
      continue
    for path, leaf in _leaves(command, known, name, value):
      if path not in known:
        raise _unknown(command, path, known)
      texts[path] = [_text(command, known[path], leaf)]
  return texts


def command_line(command: str, given: Mapping[str, list[str]]) -> list[str]:
  """The words that ask for the same in a terminal."""
  return ["python", "launch.py", command] + [
    f"--{path}={text}" for path, texts in given.items() for text in texts
  ]


def _leaves(
  command: str, known: Mapping[str, Option], name: str, value: Any
) -> list[tuple[str, Any]]:
  """The options that an argument sets, by path."""
  if "." in name:
    raise UsageError(f"{command}: {name}: is given as {_as_keyword(name)}")
  group = _OWN.get(name, name)
  grouped = any(path.startswith(f"{group}.") for path in known)
  if grouped and name not in known and name not in _OWN.values():
    if not isinstance(value, Mapping):
      raise UsageError(
        f"{command}: {name}={short(value)}: must be a dict of its options"
      )
    return [(f"{group}.{key}", leaf) for key, leaf in value.items()]
  return [(name, value)]


def _text(command: str, option: Option, value: Any) -> str:
  """A value as it stands behind its flag."""
  where = f"{command}: {option.path}={short(value)}"
  if isinstance(value, os.PathLike):
    value = os.fspath(value)
  if hasattr(value, "item") and not getattr(value, "shape", None):
    value = value.item()  # numpy's numbers
  if option.kind is str and type(value) is int:
    value = str(value)  # seeds=3, where it may be a text, too
  several = option.kind not in (bool, int, float, str) and not option.choices
  if several and isinstance(value, (str, int, float)):
    value = (value,)  # one, where there may be several
  leaves = value if isinstance(value, (tuple, list)) else [value]
  for leaf in leaves:
    if not isinstance(leaf, (bool, int, float, str)):
      raise UsageError(f"{where}: must be text, a number, true or false")
    if len(leaves) > 1 and isinstance(leaf, str) and "," in leaf:
      raise UsageError(f"{where}: one of several must have no comma")
  # Of an option of objectives or adaptations it is known only later whose it
  # is, and so which kind.
  if option.default is not None:
    value = option.check(value, command)
  return show(value)


def _sweeps(command: str, value: Any) -> list[str]:
  """`{"optimizer.learning_rate": [1e-3, 3e-3]}` as texts of --sweep.

  Options that move together are a tuple, and so are their values:
  {("size", "optimizer.learning_rate"): [("nano", 4e-3), ("tiny", 1e-3)]}.
  """
  if not isinstance(value, Mapping):
    raise UsageError(
      f"{command}: {SWEEP}={short(value)}: must be a dict of options and their"
      ' values, {"optimizer.learning_rate": [1e-3, 3e-3]}'
    )
  texts = []
  for key, values in value.items():
    paths = key if isinstance(key, tuple) else (key,)
    if isinstance(values, str) or not hasattr(values, "__iter__"):
      values = [values]
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(
      [_point(command, paths, leaf) for leaf in values]
    )
    texts.append(f"{'+'.join(map(str, paths))}={out.getvalue()}")
  return texts


def _point(command: str, paths: tuple[Any, ...], value: Any) -> str:
  """A value of a sweep as text; of several options, their values linked."""
  linked = len(paths) > 1 and isinstance(value, (tuple, list))
  if linked and len(value) != len(paths):
    raise UsageError(
      f"{command}: {SWEEP}: {short(value)}: must have {len(paths)} values, one"
      f" for each of {', '.join(map(str, paths))}"
    )
  leaves = zip(paths, value, strict=True) if linked else [(paths[0], value)]
  return "+".join(
    _text(command, Option(str(path), str, None, ""), leaf)
    for path, leaf in leaves
  )


def _unknown(
  command: str, path: str, known: Mapping[str, Option]
) -> UsageError:
  close = [_as_keyword(other) for other in registry.nearest(path, known)]
  hint = f"; did you mean {' or '.join(close)}?" if close else "."
  name = _as_keyword(path) if "." in path else path
  return UsageError(
    f"{command}: {name}: no such option{hint} All of them: launch.py {command}"
    " --help"
  )


def _as_keyword(path: str) -> str:
  """Shows how an option is given: optimizer={"learning_rate": ...}."""
  group, _, name = path.rpartition(".")
  names = {own: keyword for keyword, own in _OWN.items()}
  return f'{names.get(group, group)}={{"{name}": ...}}' if group else path
