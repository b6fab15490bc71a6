"""The chat template of a model: found, and rendered."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import signal
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from lm_jax.data.tokenizer import Tokenizer
from lm_jax.hugging_face import read, source_files, tokenizers
from lm_jax.support import links, registry, strict_json
from lm_jax.support.errors import UsageError
from lm_jax.support.worker_process import Worker, WorkerDied
from lm_jax.types import ABSENT

SECONDS = 10.0  # that a template may take
_FILE, _FOLDER = "chat_template.jinja", "additional_chat_templates"
_CONFIG = "tokenizer_config.json"
# Transformers' names of special tokens of ours.
_PARTS = {
  "bos_token": "boundary",
  "eos_token": "end",
  "unk_token": "unknown",
  "pad_token": "pad",
}
PLAIN = pathlib.Path(__file__).with_name("plain.jinja")

Message = dict[str, str]


@dataclasses.dataclass(frozen=True)
class Source:
  """A template's text.

  where: names it in messages.
  own: whether it is the model's or the user's for it, not the plain one.
  """

  text: str
  where: str
  own: bool = True


def find(directory: str, chosen: str = "") -> Source:
  """Finds the chat template of a model, or the plain one.

  Args:
    directory: of a run, or of Hugging Face Transformers.
    chosen: of --chat_template: a file, or the name of one of several that the
      model has.

  Raises:
    UsageError: there is none of that name, or the files can't be read.
  """
  named = of_model(directory)
  if chosen in named:
    return named[chosen]
  if chosen:
    path = pathlib.Path(chosen).expanduser()
    where = f"--chat_template={chosen}"
    if not path.exists() and named and "/" not in chosen:
      raise registry.unknown("--chat_template", chosen, [*named, "FILE"])
    return Source(strict_json.text_of(path, where), where)
  if len(named) == 1:
    return next(iter(named.values()))
  if "default" in named:
    return named["default"]
  if named:
    raise UsageError(
      f"--chat_template: the model has several, {', '.join(named)}; name one"
    )
  return Source(strict_json.text_of(PLAIN), PLAIN.name, own=False)


def of_model(directory: str) -> dict[str, Source]:
  """Reads a model's own templates, by name; {} if it has none."""
  folder = source_files.folder(directory)
  files = {"default": folder / _FILE}
  files |= {path.stem: path for path in sorted(folder.glob(f"{_FOLDER}/*"))}
  sources = {
    name: Source(strict_json.text_of(links.inside(path, folder)), str(path))
    for name, path in files.items()
    if path.is_file()
  }
  path = folder / _CONFIG
  if sources or not path.is_file():
    return sources
  config = strict_json.read(links.inside(path))
  templates = config.get("chat_template") if isinstance(config, dict) else None
  where = f"{path}: chat_template"
  if templates is None:
    return {}
  if isinstance(templates, str):
    return {"default": Source(templates, where)}
  try:
    return {
      entry["name"]: Source(_text(entry["template"]), where)
      for entry in templates
    }
  except (LookupError, TypeError):
    raise UsageError(
      f"{where}: must be text, or a list of objects with name and template"
    ) from None


def variables(directory: str, tokenizer: Tokenizer) -> dict[str, str]:
  """The special tokens that a template may name: texts by "bos_token", ..."""
  folder = source_files.folder(directory)
  if (folder / "config.json").is_file():
    config = dict(read.fields_of(folder).values)
    kind = str(config["model_type"])
    return tokenizers.special_names(folder, kind, config)
  ids = {
    name: getattr(tokenizer.specials, part) for name, part in _PARTS.items()
  }
  return {
    name: tokenizer.decode([i], skip_special_tokens=False)
    for name, i in ids.items()
    if i != ABSENT
  }


def _text(value: Any) -> str:
  if not isinstance(value, str):
    raise TypeError
  return value


class ChatTemplate:
  """A template, ready to be rendered.

  Args:
    variables: what it may name besides the messages: bos_token, ...
    seconds: that it may take.

  Attributes:
    source: the argument.
  """

  def __init__(
    self,
    source: Source,
    variables: Mapping[str, str],
    seconds: float = SECONDS,
  ):
    self.source = source
    self._variables = dict(variables)
    self._seconds = seconds
    self._child: Worker | None = None

  def render(self, messages: Sequence[Message], answering: bool = True) -> str:
    """Renders a conversation as text.

    Args:
      answering: whether the assistant speaks next.

    Raises:
      UsageError: what the template has against them, or what is wrong with
        it.
    """
    question = self._variables | {
      "messages": list(messages),
      "tools": None,  # as Transformers: an empty list is asked for calls
      "documents": None,
      "add_generation_prompt": answering,
    }
    return self._ask(question)

  def literals(self) -> list[str]:
    """Returns the template's own texts; UsageError if it is no template."""
    return self._ask(None)

  def close(self) -> None:
    """Ends the template's process."""
    if self._child is not None:
      self._child.close()
      self._child = None

  def _ask(self, question: Any) -> Any:
    if self._child is None:
      self._child = Worker(
        "lm_jax.apps.chat.rendering", "the chat template", self.source.text
      )
    child, late = self._child, threading.Event()

    def end() -> None:
      late.set()
      os.kill(child.pid, signal.SIGKILL)

    timer = threading.Timer(self._seconds, end)
    timer.start()
    try:
      answer = json.loads(child.ask(question))
    except WorkerDied:
      self.close()
      if not late.is_set():
        raise
      raise UsageError(
        f"{self.source.where}: takes longer than {self._seconds:g} s"
      ) from None
    except BaseException:
      self.close()  # Its answer would be taken for that of the next question.
      raise
    finally:
      timer.cancel()
    if "error" in answer:
      raise UsageError(f"{self.source.where}: {answer['error']}")
    return answer["found"]
