"""The part of jinja2 that a prompt template may use.

A template may come from anybody, so what it can do is listed, not what it
can't: fields, literals, conditions, slices, and functions of text that end at
once and give no more than they get. There are no loops, assignments, sums or
products of texts, no includes, and no attributes but the methods listed here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jinja2 import TemplateError, TemplateSyntaxError, nodes, sandbox
from jinja2 import runtime as runtime_lib

from lm_jax.support import registry
from lm_jax.support.errors import UsageError

MOST = 2**20  # characters of a rendered text, or of anything on the way

_NODES = (
  *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If),
  *(nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair),
  *(nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.Test),
  *(nodes.And, nodes.Or, nodes.Not, nodes.Neg),
  *(nodes.Getitem, nodes.Slice, nodes.Getattr, nodes.Call, nodes.Filter),
  nodes.Keyword,
)
# Of texts, called with literals. None takes longer than a pass over the text,
# or gives more than it holds.
METHODS = (
  *("strip", "lstrip", "rstrip", "removeprefix", "removesuffix"),
  *("split", "rsplit", "splitlines", "partition", "rpartition"),
  *("lower", "upper", "title", "capitalize"),
  *("startswith", "endswith", "isdigit", "isupper", "find", "count"),
)
_OF_TEXT = ("trim", "lower", "upper", "title", "capitalize", "wordcount", "int")
FILTERS = (*_OF_TEXT, "replace", "join", "default", "first", "last", "length")
_TESTS = ("defined", "none", "string", "number", "eq", "ne", "in", "lower")


class _Environment(sandbox.ImmutableSandboxedEnvironment):
  def getitem(self, obj: Any, argument: Any) -> Any:
    # As Python has it: an attribute is no item.
    try:
      return obj[argument]
    except (LookupError, TypeError):
      return self.undefined(obj=obj, name=argument)


def _replace(text: Any, old: Any, new: Any) -> str:
  text, old, new = _plain(text), _plain(old), _plain(new)
  _require_room(len(text) + text.count(old) * len(new))
  return text.replace(old, new)


def _join(values: Iterable[Any], separator: Any = "") -> str:
  texts, separator = list(map(_plain, values)), _plain(separator)
  _require_room(sum(map(len, texts)) + len(texts) * len(separator))
  return separator.join(texts)


def _of_text(function: Callable[[str], Any], value: Any) -> Any:
  return function(_plain(value))


def _plain(value: Any) -> str:
  """Returns a text or a number as text; refuses others, which may be long."""
  if not isinstance(value, str | int):
    kind = type(value).__name__
    raise sandbox.SecurityError(f"a {kind} stands where a text is due")
  return str(value)


def _shown(value: Any) -> Any:
  if not isinstance(value, runtime_lib.Undefined):  # which tells its name
    _plain(value)
  return value


def _require_room(size: int) -> None:
  if size > MOST:
    raise sandbox.SecurityError(f"gives more than {MOST} characters")


@functools.cache
def _environment() -> _Environment:
  made = _Environment(
    undefined=runtime_lib.StrictUndefined,
    finalize=_shown,
    autoescape=False,
    loader=None,
  )
  made.globals.clear()
  known = made.filters
  made.filters = {name: known[name] for name in FILTERS}
  made.filters |= {
    name: functools.partial(_of_text, known[name]) for name in _OF_TEXT
  }
  made.filters |= {"replace": _replace, "join": _join}
  made.tests = {name: made.tests[name] for name in _TESTS}
  return made


class Body:
  """A body that was read, checked and compiled.

  Args:
    text: of the body.
    where: names the file in messages.
    before: lines of the file in front of the body.

  Raises:
    UsageError: it is not jinja2, or does what a template may not, with the
      line.

  Attributes:
    names: those that it uses.
  """

  def __init__(self, text: str, where: str, before: int = 0):
    environment = _environment()
    self._where = where
    try:
      tree = environment.parse(text)
      self._check(tree, before)
      self.names = frozenset(n.name for n in tree.find_all(nodes.Name))
      self._template = environment.from_string(tree)
    except TemplateSyntaxError as error:
      line = before + error.lineno
      raise UsageError(f"{where}: line {line}: {error.message}") from None
    except (RecursionError, SyntaxError):
      raise UsageError(f"{where}: is nested too deeply") from None

  def _check(self, tree: nodes.Template, before: int) -> None:
    """Raises UsageError for the first node that is not listed."""
    called = {id(call.node) for call in tree.find_all(nodes.Call)}
    for node in [tree, *tree.find_all(nodes.Node)]:
      # What is implied (an else) has no line.
      place = f"{self._where}: line {before + (node.lineno or 0)}"
      if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        raise registry.unknown(f"{place}: filter", str(node.name), FILTERS)
      if isinstance(node, nodes.Test) and node.name not in _TESTS:
        raise registry.unknown(f"{place}: test", str(node.name), _TESTS)
      if isinstance(node, nodes.Getattr) and (
        node.attr not in METHODS or id(node) not in called
      ):
        raise registry.unknown(f"{place}: method", node.attr, METHODS)
      if isinstance(node, nodes.Call):
        self._check_call(node, place)
      if not isinstance(node, _NODES):
        kind = type(node).__name__.lower()
        raise UsageError(
          f"{place}: {kind} is not for templates, which have fields, literals,"
          " if, slices, filters and methods of text"
        )

  @staticmethod
  def _check_call(node: nodes.Call, place: str) -> None:
    if not isinstance(node.node, nodes.Getattr):
      raise UsageError(f"{place}: only methods of text are called")
    if node.dyn_args or node.dyn_kwargs or node.kwargs:
      raise UsageError(f"{place}: {node.node.attr}: takes no names and stars")
    if not all(isinstance(value, nodes.Const) for value in node.args):
      raise UsageError(f"{place}: {node.node.attr}: takes literals only")

  def render(self, fields: Mapping[str, str]) -> str:
    """Renders the text with fields.

    Raises:
      UsageError: what fails with them, or a text longer than MOST.
    """
    parts, size = [], 0
    try:
      for part in self._template.generate(dict(fields)):
        parts.append(part)
        size += len(part)
        _require_room(size)
    except (TemplateError, TypeError, ValueError, AttributeError) as error:
      raise UsageError(f"{self._where}: {error}") from None
    return "".join(parts)
