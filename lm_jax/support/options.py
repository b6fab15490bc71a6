"""The fields of dataclasses as options: dotted, typed and checked.

An option is read from text (a flag, a swept value) or from JSON (a
configuration file); both go through here, so both are checked alike.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import typing
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from lm_jax.support.errors import UsageError
from lm_jax.support.values import check, is_literal, parse, show

if TYPE_CHECKING:
  from _typeshed import DataclassInstance

_hints = functools.cache(typing.get_type_hints)


def option(default: Any, help_line: str, **metadata: Any) -> Any:
  """Makes a field of a dataclass that is a flag.

  Args:
    default: the value, or the class of a nested dataclass.
    help_line: of the flag.
    **metadata: further fields of `Option` (repeat, absent, group, needed,
      hint), and those of `Bounds`.
  """
  metadata["help"] = help_line
  if isinstance(default, type):  # the class of a nested dataclass, or dict
    return dataclasses.field(default_factory=default, metadata=metadata)
  return dataclasses.field(default=default, metadata=metadata)


class Bounds(NamedTuple):
  """The numbers that an option may be; None where there is no such bound.

  least, most: themselves allowed.
  above, below: themselves not.
  """

  least: float | None = None
  most: float | None = None
  above: float | None = None
  below: float | None = None

  def __contains__(self, value: Any) -> bool:
    return (
      (self.least is None or value >= self.least)
      and (self.most is None or value <= self.most)
      and (self.above is None or value > self.above)
      and (self.below is None or value < self.below)
    )

  def __str__(self) -> str:
    """Says what is valid: "1 to 64", "at least 0 and below 1", "above 0"."""
    if self.least is not None and self.most is not None:
      return f"{self.least} to {self.most}"
    names = {"least": "at least ", "above": "above "}
    names |= {"most": "at most ", "below": "below "}
    fields = self._asdict()
    given = [n for n in names if fields[n] is not None]
    return " and ".join(f"{names[n]}{fields[n]}" for n in given)


ANY = Bounds()
Flags = TypeVar("Flags", bound="DataclassInstance")


@dataclasses.dataclass(frozen=True)
class Option:
  """One option.

  path: dotted, "optimizer.learning_rate".
  kind: bool, int, float, str, a Literal, or tuple[one of these, ...].
  default: of that kind.
  help: one line.
  repeat: whether the flag may be given several times (kind is a tuple).
  absent: what a configuration file without it means, where that is not the
    default: what runs did before there was the option. None: the default.
  bounds: of a number, or of each item of a tuple.
  group: under which help lists it; "" is what its path begins with.
  needed: what must be given, for the message where it is not; "": nothing.
  hint: what a message adds where a value is out of bounds.
  """

  path: str
  kind: Any
  default: Any
  help: str = ""
  repeat: bool = False
  absent: Any = None
  bounds: Bounds = ANY
  group: str = ""
  needed: str = ""
  hint: str = ""

  @property
  def heading(self) -> str:
    """The group under which help lists it; "" is the first."""
    return self.group or self.path.rpartition(".")[0]

  @property
  def choices(self) -> tuple[str, ...]:
    """The valid values, where they are few."""
    return typing.get_args(self.kind) if is_literal(self.kind) else ()

  def parse(self, text: str) -> Any:
    """The value that a text stands for, or UsageError."""
    try:
      text.encode()
    except UnicodeEncodeError:  # As Python gives bytes that are no text.
      raise UsageError(
        f"--{self.path}={text}: is not UTF-8; where it names a file, name its"
        " directory, a glob or a link"
      ) from None
    value = parse(self.kind, text, f"--{self.path}")
    self.require(value, "--", text)
    return value

  def require(self, value: Any, before: str, text: str = "") -> None:
    """Raises UsageError where no such value, or item of it, is allowed.

    Args:
      value: of the option's kind.
      before: put before its path in the message: "--", or a file's name.
      text: that the value was parsed from; by default as Python shows it.
    """
    if self.choices and value not in self.choices:
      names = ", ".join(filter(None, self.choices))
      raise UsageError(f"{before}{self.path}={value}: must be one of {names}")
    if self.bounds == ANY:
      return
    items = value if isinstance(value, (tuple, list)) else (value,)
    for item in items:
      if item not in self.bounds or not math.isfinite(item):
        shown = show(item) if len(items) > 1 or not text else text
        raise UsageError(
          f"{before}{self.path}={shown}: must be {self.bounds}{self.hint}"
        )

  def parse_all(self, texts: Sequence[str]) -> Any:
    """The value of a flag that was given so often, or UsageError.

    Where it may be given several times each is an item, to which a comma
    belongs; else the last one counts.
    """
    if not self.repeat:
      return self.parse(texts[-1])
    item = typing.get_args(self.kind)[0]
    values = tuple(parse(item, text, f"--{self.path}") for text in texts)
    self.require(values, "--")
    return values

  def check(self, value: Any, where: str) -> Any:
    """The value that a JSON value stands for, or UsageError."""
    return check(self.kind, value, f"{where}: {self.path}")


def options(cls: type, prefix: str = "") -> dict[str, Option]:
  """The options of a dataclass by path, nested ones included.

  Fields that hold a dict, or say that they are no flag, are not options. The
  prefix, "optimizer.", is put before each path.
  """
  hints = _hints(cls)
  known: dict[str, Option] = {}
  for field in dataclasses.fields(cls):
    if not field.metadata.get("flag", True):
      continue
    # A word of Python has an underscore: "as_" is the flag --as.
    path, kind = prefix + field.name.removesuffix("_"), hints[field.name]
    if dataclasses.is_dataclass(kind):
      known |= options(typing.cast(type, kind), path + ".")
      continue
    if typing.get_origin(kind) is dict:
      continue
    _require_supported(kind, f"{cls.__name__}.{field.name}")
    default = field.default
    if field.default_factory is not dataclasses.MISSING:
      default = field.default_factory()
    given = dict(field.metadata)
    bounds = Bounds(**{n: given.pop(n, None) for n in Bounds._fields})
    known[path] = Option(path, kind, default, bounds=bounds, **given)
  return known


def texts_of_others() -> Any:
  """Makes a field that holds the texts of flags which are no fields."""
  return dataclasses.field(default_factory=dict, metadata={"flag": False})


def names_given() -> Any:
  """Makes a field that holds the names of the flags that were given."""
  return dataclasses.field(
    default=frozenset(), compare=False, metadata={"flag": False}
  )


def read(cls: type[Flags], given: Mapping[str, Sequence[str]]) -> Flags:
  """Makes a dataclass of flags from their texts.

  Args:
    cls: its fields are options. One called `settings` gets the texts of flags
      that are no fields (`texts_of_others`), and one called `given` the names
      of all that were given (`names_given`).
    given: the texts of each flag that was given, by path.

  Raises:
    UsageError: a value is none, or out of range; or a flag is needed.
  """
  known = options(cls)
  values = {
    path: known[path].parse_all(texts)
    for path, texts in given.items()
    if path in known
  }
  for path, one in known.items():
    if one.needed and not values.get(path):
      raise UsageError(f"--{path}: needed, {one.needed}")
  names = {field.name for field in dataclasses.fields(cls)}
  if "settings" in names:
    values["settings"] = {p: t for p, t in given.items() if p not in known}
  if "given" in names:
    values["given"] = frozenset(given)
  return _nested(cls, values)


def _nested(cls: type[Flags], values: Mapping[str, Any]) -> Flags:
  """Makes a dataclass of values by path; dataclasses in it, too."""
  fields = {f.name.removesuffix("_"): f.name for f in dataclasses.fields(cls)}
  own = {fields[n]: value for n, value in values.items() if "." not in n}
  hints = _hints(cls)
  for group in {path.partition(".")[0] for path in values if "." in path}:
    members = {
      path.partition(".")[2]: value
      for path, value in values.items()
      if path.startswith(f"{group}.")
    }
    own[group] = _nested(hints[group], members)
  return cls(**own)


def check_ranges(instance: Any, prefix: str = "") -> None:
  """Raises UsageError where an option of a dataclass is out of its bounds.

  The prefix, "optimizer.", is put before each path; nested ones count.
  """
  for path, one in options(type(instance), prefix).items():
    value = instance
    for name in path.removeprefix(prefix).split("."):
      value = getattr(value, name if hasattr(value, name) else f"{name}_")
    one.require(value, "--")


def _require_supported(kind: Any, where: str) -> None:
  if typing.get_origin(kind) is tuple:
    item, *rest = typing.get_args(kind)
    if rest == [...]:
      return _require_supported(item, where)
  elif kind in (bool, int, float, str) or is_literal(kind):
    return None
  raise TypeError(f"{where}: {kind} can't be a flag")
