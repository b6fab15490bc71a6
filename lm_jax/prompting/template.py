"""Prompt templates: a file of TOML front matter and a jinja2 body.

+++
description = "is a review positive?"
fields = ["text"]
answer = "label"
choices = { "0" = "negative", "1" = "positive" }
+++
Review: {{ text }}
Sentiment:
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_jax.prompting import front_matter
from lm_jax.prompting.front_matter import MASK
from lm_jax.support import plugins, registry
from lm_jax.support.errors import UsageError, short

if TYPE_CHECKING:
  from lm_jax.prompting.sandbox import Body

SUFFIX = plugins.TEMPLATE_SUFFIX
_FENCE = "+++"
_MOST_BYTES = 2**16

Choices = tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Template:
  """A template that was read and checked; `docs/prompting.md` tells the format.

  where: names the file in messages, with the flag that gave it.
  body: compiled.
  description: one line.
  fields: what the body may use, without the mask of a cloze.
  defaults: of fields that may be left out.
  answer: the field of an example that holds the right answer; "" without.
  choices: of labels, the text of each.
  choice_fields: names of the fields that hold the choices, where those differ
    from example to example; the label is the index.
  cloze: whether the choice stands at {{ mask }}, not after the prompt.
  separator: between shots.
  prefix: between a prompt and its answer.
  calibration: content-free inputs, each the fields without `choice_fields`.
  reason: the field of an example with its chain of thought; "" without.
  answer_pattern: finds the answer in a generated text: the last match counts,
    of it the first group if there is one.
  generation: options of lm_jax.generation.options, by name.
  """

  where: str
  body: Body
  description: str
  fields: tuple[str, ...]
  defaults: Mapping[str, str]
  answer: str = ""
  choices: Choices = ()
  choice_fields: tuple[str, ...] = ()
  cloze: bool = False
  separator: str = "\n\n"
  prefix: str = " "
  calibration: tuple[Mapping[str, str], ...] = ()
  reason: str = ""
  answer_pattern: str = ""
  generation: dict[str, Any] = dataclasses.field(default_factory=dict)

  @property
  def needs(self) -> tuple[str, ...]:
    """The fields that have no default; of a cloze, the mask too."""
    known = (*self.fields, *((MASK,) if self.cloze else ()))
    return tuple(name for name in known if name not in self.defaults)

  def render(self, fields: Mapping[str, str]) -> str:
    """Renders the prompt of an example, without its answer.

    Args:
      fields: texts by name: all of `needs`, and others of `fields`.

    Raises:
      UsageError: a field is missing or unknown or not text, or the text
        becomes too long.
    """
    for name in self.needs:
      if name not in fields:
        raise UsageError(
          f"{self.where}: needs the field {name}; it takes"
          f" {', '.join(self.needs)}"
        )
    known = {*self.fields, *self.needs}
    for name, value in fields.items():
      if name not in known:
        raise registry.unknown(f"{self.where}: field", name, sorted(known))
      if not isinstance(value, str):
        raise UsageError(
          f"{self.where}: field {name}={short(value)}: must be text"
        )
    return self.body.render({**self.defaults, **fields})


def names() -> list[str]:
  """The built-in templates and those of --plugins, sorted."""
  return sorted(_files())


def _files() -> dict[str, Path]:
  """The files of the templates that have a name."""
  folders = [plugins.SHIPPED_TEMPLATES, *plugins.folders(plugins.TEMPLATES)]
  return {p.stem: p for f in folders for p in f.glob(f"*{SUFFIX}")}


def load(name: str, flag: str = "--template") -> Template:
  """Loads a built-in template, or the one of a file.

  Args:
    name: of a built-in one, or a path (it holds a / or ends with .jinja).
    flag: names it in messages.

  Raises:
    UsageError: there is none, or what is wrong with it, with the line.
  """
  return parse(source(name, flag), f"{flag}={name}")


def source(name: str, flag: str) -> str:
  """Reads the text of a template's file; takes what `load` takes."""
  where = f"{flag}={name}"
  if "/" in name or name.endswith(SUFFIX):
    return _read(Path(name).expanduser(), where)
  files = _files()
  if name in files:
    return _read(files[name], where)
  error = registry.unknown(flag, name, names())
  raise UsageError(f"{error}; or a file, FILE{SUFFIX}")


def parse(text: str, where: str) -> Template:
  """Parses the text of a template.

  Args:
    text: front matter and body.
    where: names it in messages.

  Raises:
    UsageError: as `load`.
  """
  from lm_jax.prompting.sandbox import Body

  lines = text.split("\n")
  fences = [i for i, line in enumerate(lines) if line.rstrip() == _FENCE][:2]
  if len(fences) < 2 or fences[0] != 0:
    raise UsageError(
      f"{where}: must begin with TOML between two lines {_FENCE}"
    )
  before = fences[1] + 1
  # The line of the fence stays, empty, so that lines are counted as the file's.
  front = "\n".join(["", *lines[1 : fences[1]]])
  values = front_matter.read(front, where)
  body = Body("\n".join(lines[before:]), where, before)
  known = {*values["fields"], *((MASK,) if values["cloze"] else ())}
  for name in sorted(body.names - known):
    if name == MASK:
      raise UsageError(f"{where}: uses {{{{ mask }}}} without cloze = true")
    raise registry.unknown(f"{where}: the body's field", name, sorted(known))
  if values["cloze"] and MASK not in body.names:
    raise UsageError(
      f"{where}: cloze = true, and the body has no {{{{ mask }}}}"
    )
  return Template(where=where, body=body, **values)


def _read(path: Path, where: str) -> str:
  try:
    if path.exists() and not path.is_file():
      raise UsageError(f"{where}: is not a file")
    with path.open("rb") as file:
      data = file.read(_MOST_BYTES + 1)
  except OSError as error:
    raise UsageError(f"{where}: {error.strerror}") from None
  except ValueError as error:  # a NUL in the name
    raise UsageError(f"{where}: {error}") from None
  if len(data) > _MOST_BYTES:
    raise UsageError(f"{where}: is above {_MOST_BYTES} bytes")
  try:
    text = data.decode("utf-8-sig")
  except UnicodeDecodeError as error:
    line = 1 + data[: error.start].count(b"\n")
    raise UsageError(
      f"{where}: line {line}: is not UTF-8: byte {error.start} is"
      f" {data[error.start]:#04x}"
    ) from None
  return text.replace("\r\n", "\n")
