"""A chat template, rendered as Transformers does it, in a process of its own.

Templates come with models, from anybody. jinja2's sandbox keeps one from
running code and from reading files, but not from running for ever or from
taking all memory; so it runs where both have an end, and where no file can be
opened at all.
"""

from __future__ import annotations

import datetime
import functools
import json
import resource
from collections.abc import Callable
from typing import Any

from lm_jax.support.worker_process import serve

MOST_MEMORY = 2**30  # bytes of the process
MOST_TEXT = 2**24  # characters of a conversation


def environment() -> Any:
  """Makes the environment of Transformers 5.24 (chat_template_utils.py)."""
  import jinja2
  import jinja2.ext
  import jinja2.sandbox

  class Generation(jinja2.ext.Extension):
    """The tag {% generation %}: the assistant's text, unchanged."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Any) -> Any:
      line = next(parser.stream).lineno
      body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
      call = self.call_method("_said")
      return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _said(self, caller: Any) -> str:
      return caller()

  class Namespace(jinja2.utils.Namespace):
    def __init__(*args: Any, **values: Any):
      self, *rest = args
      values = dict(*rest, **values)
      for name in values:
        _refuse_private(name)
      jinja2.utils.Namespace.__init__(self, values)

    def __setitem__(self, name: str, value: Any) -> None:
      _refuse_private(name)
      super().__setitem__(name, value)

  class Dict:
    """dict, without its attributes."""

    def __call__(self, *args: Any, **values: Any) -> dict:
      return dict(*args, **values)

    def fromkeys(self, *args: Any) -> dict:
      return dict.fromkeys(*args)

  def _refuse_private(name: Any) -> None:
    if isinstance(name, str) and name.startswith("_"):
      raise jinja2.sandbox.SecurityError(f"namespace: {name} begins with _")

  def raise_exception(message: Any) -> None:
    raise jinja2.TemplateError(str(message))

  def strftime_now(form: str) -> str:
    return datetime.datetime.now().strftime(form)

  def tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: Any = None,
    separators: Any = None,
    sort_keys: bool = False,
  ) -> str:
    return json.dumps(
      value,
      ensure_ascii=ensure_ascii,
      indent=indent,
      separators=separators,
      sort_keys=sort_keys,
    )

  jinja = jinja2.sandbox.ImmutableSandboxedEnvironment(
    trim_blocks=True,
    lstrip_blocks=True,
    extensions=[Generation, jinja2.ext.loopcontrols],
  )
  jinja.filters["tojson"] = tojson
  jinja.globals["raise_exception"] = raise_exception
  jinja.globals["strftime_now"] = strftime_now
  jinja.globals["dict"] = Dict()
  jinja.globals["namespace"] = Namespace
  return jinja


def literals(found: Any, source: str) -> list[str]:
  """Returns the texts that a template itself holds."""
  from jinja2 import nodes

  tree = found.parse(source)
  texts = {node.data for node in tree.find_all(nodes.TemplateData)}
  constants = (node.value for node in tree.find_all(nodes.Const))
  texts |= {value for value in constants if isinstance(value, str)}
  return sorted(texts)


def _make(source: str) -> Callable[[Any], bytes]:
  made = environment()
  # What is read when it is first used could not be opened any more.
  import jinja2.debug  # noqa: F401

  made.from_string("{{ strftime_now('\\n%c %Z') | tojson }}").render()
  resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
  resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
  compiled = functools.cache(lambda: made.from_string(source))

  def found(question: Any) -> Any:
    if question is None:
      return literals(made, source)
    text = compiled().render(**question)
    if len(text) > MOST_TEXT:
      raise ValueError(f"gives more than {MOST_TEXT} characters")
    return text

  def answer(question: Any) -> bytes:
    try:
      return json.dumps({"found": found(question)}).encode()
    except Exception as error:
      return json.dumps({"error": reason(error)}).encode()

  return answer


def reason(error: Exception) -> str:
  """Explains to the user what is wrong with a template."""
  import jinja2

  if isinstance(error, jinja2.TemplateSyntaxError):
    return f"line {error.lineno}: {error.message}"
  if isinstance(error, MemoryError):
    return f"takes more than {MOST_MEMORY >> 20} MiB of memory"
  if isinstance(error, RecursionError):
    return "is nested too deeply"
  if isinstance(error, jinja2.TemplateError):
    return str(error.message)
  return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
  serve(_make)
