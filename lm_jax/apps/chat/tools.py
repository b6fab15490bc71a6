"""Writing tools: prompt templates, and how a model gets what they render."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence

from lm_jax.apps.chat import template as chat_template
from lm_jax.apps.chat.conversation import Conversation
from lm_jax.apps.chat.model import Assistant
from lm_jax.apps.chat.stop_buffer import StopBuffer
from lm_jax.generation.generate import Generator
from lm_jax.generation.options import Generation
from lm_jax.generation.prompts import Truncate
from lm_jax.generation.text_stream import Generated
from lm_jax.prompting import template as template_lib
from lm_jax.prompting.template import Template
from lm_jax.support import registry
from lm_jax.support.errors import UsageError

TEXT = "text"  # the field that a prompt fills


def names() -> list[str]:
  """Names the built-in templates that write without a known answer."""
  every = template_lib.names()
  return [name for name in every if writes(template_lib.load(name))]


def writes(template: Template) -> bool:
  """Returns whether the template makes a text of a text."""
  return TEXT in template.fields and not template.answer


def load(name: str, flag: str) -> Template:
  """Loads a writing tool by name or path; raises UsageError."""
  template = template_lib.load(name, flag)
  if not writes(template):
    raise UsageError(
      f"{flag}={name}: asks for an answer, for `evaluate`; of the built-in ones"
      f" these write: {', '.join(names())}"
    )
  return template


def fields(texts: Sequence[str], template: Template) -> dict[str, str]:
  """Parses values of --field, "language=German", for a template.

  Raises:
    UsageError: an unknown one, or no "=".
  """
  values: dict[str, str] = {}
  known = [name for name in template.fields if name != TEXT]
  for text in texts:
    name, equals, value = text.partition("=")
    if not equals:
      raise UsageError(f"--field={text}: must be NAME=VALUE")
    if name not in known:
      raise registry.unknown("--field", name, known)
    values[name] = value
  return values


def split(words: str, template: Template) -> tuple[dict[str, str], str]:
  """Splits leading NAME=VALUE words that are fields from the text.

  >>> split("style=plain  A text, x=1", load("rewrite", ""))
  ({'style': 'plain'}, 'A text, x=1')
  """
  values: dict[str, str] = {}
  rest = words.strip()
  while rest:
    word, *others = rest.split(maxsplit=1)
    name, equals, value = word.partition("=")
    if not equals or name == TEXT or name not in template.fields:
      break
    values[name] = value
    rest = others[0] if others else ""
  return values, rest


@dataclasses.dataclass(frozen=True)
class Tool:
  """A writing tool of `launch.py generate`.

  template: of `load`.
  values: of its fields but the text.
  plain: whether the model reads the rendered text as it is.
  """

  template: Template
  values: Mapping[str, str]
  plain: bool = False

  def render(self, texts: Sequence[str]) -> list[str]:
    """Renders the prompts of texts; UsageError where a field is missing."""
    return [self.template.render({**self.values, TEXT: text}) for text in texts]

  def run(
    self,
    generator: Generator,
    texts: Sequence[str],
    options: Generation,
    truncate: Truncate = "",
    show: Callable[[int, str], None] | None = None,
    source_language: str = "",
    target_language: str = "",
  ) -> list[Generated]:
    """Generates the tool's texts; the arguments are Generator.generate's.

    Raises:
      UsageError: as there.
    """
    rendered = self.render(texts)
    stop_buffer = StopBuffer(())

    def take(number: int, piece: str) -> None:
      stop_buffer.append(piece)
      if show is not None:
        show(number, stop_buffer.news())

    asked = take if show is not None else None
    languages = (source_language, target_language)
    between = direction(self.template, self.values)
    tokenizer = generator.model.tokenizer
    if between and tokenizer is not None and tokenizer.languages:
      rendered = list(texts)
      languages = languages[0] or between[0], languages[1] or between[1]
    source = chat_template.find(generator.model.source)
    if self.plain or rendered == list(texts) or not source.own:
      results = generator.generate(
        rendered, options, truncate, asked, *languages
      )
    elif truncate or any(languages):
      flag = "--truncate" if truncate else "--target_language"
      raise UsageError(
        f"{flag}: does not go with the model's chat template; --plain does"
        " without that"
      )
    else:
      with contextlib.closing(Assistant(generator, source)) as assistant:
        conversations = [Conversation().messages(user=x) for x in rendered]
        results = assistant.generate(conversations, options, asked)
    return [result._replace(text=result.text.strip()) for result in results]


def direction(
  template: Template, values: Mapping[str, str]
) -> tuple[str, str] | None:
  """Returns the source and target languages of a translating template.

  None if it names none: then it is no translator.
  """
  if "language" not in template.fields:
    return None
  every = {**template.defaults, **values}
  return every.get("source_language", ""), every["language"]
