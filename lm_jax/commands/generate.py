"""Generates texts from prompts."""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from lm_jax.config import phases
from lm_jax.data import lines
from lm_jax.generation import options as options_lib
from lm_jax.generation import read_options
from lm_jax.generation.options import Generation
from lm_jax.inference import load
from lm_jax.support.errors import UsageError
from lm_jax.support.options import names_given, option, texts_of_others
from lm_jax.support.printable import printable
from lm_jax.support.values import show as show_value

if TYPE_CHECKING:  # It imports jax.
  from lm_jax.apps.chat.tools import Tool
  from lm_jax.generation.infill import Filler

_TEMPLATES, _MASKED, _LANGUAGES = "templates", "masked", "languages"


@dataclasses.dataclass(frozen=True)
class Flags:
  """The model, its prompts, and what is printed."""

  model: str = option(
    "",
    "a run directory, or a Hugging Face directory",
    needed="a run or a Hugging Face directory",
  )
  as_: str = option("", phases.AS)
  prompt: tuple[str, ...] = option(
    (),
    "the prompt; may be given several times; - reads it from standard input",
    repeat=True,
  )
  prompts: str = option(
    "", "a file of prompts: lines, or JSON strings (.jsonl)"
  )
  format: Literal["text", "jsonl"] = option("text", "of what is printed")
  truncate: Literal["", "left", "right"] = option(
    "", "the side on which too long a prompt is cut"
  )
  draft: str = option(
    "",
    "a smaller model with the same tokenizer, which guesses ahead; the texts"
    " are distributed as without it",
  )
  template: str = option(
    "",
    "the task that the prompt is put into: a name of `list templates`, or"
    " FILE.jinja; a model with a chat template gets it as a message",
    group=_TEMPLATES,
  )
  field: tuple[str, ...] = option(
    (),
    "NAME=VALUE for a template; may be given several times",
    repeat=True,
    group=_TEMPLATES,
  )
  plain: bool = option(
    False,
    "give what a template makes to the model as it is, even if that has a chat"
    " template",
    group=_TEMPLATES,
  )
  source_language: str = option(
    "",
    "the language of the prompt, a code or an English name, for a model that"
    " translates (M2M-100, mBART)",
    group=_LANGUAGES,
  )
  target_language: str = option(
    "", "the language of the answer", group=_LANGUAGES
  )
  fill: int = option(
    0,
    "number of candidates to print for each blank of a prompt, which the mask"
    " token of a masked model stands for",
    least=0,
    group=_MASKED,
  )
  fill_steps: int = option(
    0,
    "fill all blanks by a masked model in this number of passes (mask-predict)",
    least=0,
    group=_MASKED,
  )
  settings: Mapping[str, Sequence[str]] = texts_of_others()
  given: frozenset[str] = names_given()


settings = options_lib.schema  # further flags


def main(flags: Flags) -> int:
  """Generates as flags ask; returns the exit code."""
  texts = _prompts(flags)
  tool = _tool(flags, texts)
  from lm_jax.generation import defaults

  own = defaults.from_directory(flags.model)
  shown = [
    f"{name}={show_value(value)}"
    for name, value in own.items()
    if name not in flags.settings and not name.endswith("token_id")
  ]
  if shown:  # So that nobody wonders why a text is sampled, or so long.
    print(
      f"lm_jax: as the model's files say: {printable(' '.join(shown))}",
      file=sys.stderr,
    )
  if tool:
    own = read_options.under(tool.template.generation, own)
  where = str(defaults.file_of(flags.model) or "") if not tool else ""
  values = read_options.from_flags(flags.settings)
  options = Generation(**read_options.under(values, own))
  options.check("--", own.keys() - values.keys(), where)
  from lm_jax.generation.generate import Generator
  from lm_jax.generation.infill import Filler

  model = load.load(flags.model, objective=flags.as_)
  if flags.fill or flags.fill_steps:
    _fill(Filler(model), texts, flags)
    return 0
  draft = load.load(flags.draft, "--draft") if flags.draft else None
  generator = Generator(model, draft)
  single = len(texts) * options.num_return_sequences == 1
  streams = flags.format == "text" and single and not options.beams
  # A continuation is printed behind its prompt, what a tool writes alone.
  before = [""] * len(texts) if tool else texts
  begun = False

  def show(number: int, piece: str) -> None:
    nonlocal begun
    del number  # There is one.
    print(piece if begun else before[0] + piece, end="", flush=True)
    begun = True

  run = functools.partial(tool.run, generator) if tool else generator.generate
  generated = run(
    texts,
    options,
    flags.truncate,
    show if streams else None,
    flags.source_language,
    flags.target_language,
  )
  if draft is not None:
    print(
      f"lm_jax: {generator.accepted} of {generator.proposed} guesses kept",
      file=sys.stderr,
    )
  if streams:
    print("" if begun else before[0])
    return 0
  for result in generated:
    if flags.format == "jsonl":
      fields: dict[str, Any] = {"prompt": texts[result.prompt]}
      fields |= {"text": result.text, "score": result.score}
      fields |= {"finish": result.finish, "tokens": len(result.ids)}
      print(json.dumps(fields, ensure_ascii=False))
    else:
      print(before[result.prompt] + result.text)
  return 0


def _tool(flags: Flags, texts: Sequence[str]) -> Tool | None:
  """Returns the writing tool that --template names, ready for the texts."""
  if not flags.template:
    for name in ("field", "plain"):
      if name in flags.given:
        raise UsageError(f"--{name}: goes with --template")
    return None
  for name in ("fill", "fill_steps"):
    if name in flags.given:
      raise UsageError(f"--{name}: does not go with --template")
  from lm_jax.apps.chat import tools

  template = tools.load(flags.template, "--template")
  fields = tools.fields(flags.field, template)
  tool = tools.Tool(template, fields, flags.plain)
  tool.render(texts)  # Raises before any weights are read.
  return tool


def _fill(filler: Filler, texts: Sequence[str], flags: Flags) -> None:
  """Prints candidates for blanks, or texts without them, a line each."""
  for text in texts:
    if flags.fill_steps:
      print(filler.sentence(text, flags.fill_steps))
      continue
    for number, blank in enumerate(filler.blanks(text, flags.fill)):
      for candidate in blank:
        shown = json.dumps(candidate.text, ensure_ascii=False)
        print(f"{number}\t{candidate.probability:.6f}\t{shown}")


def _prompts(flags: Flags) -> list[str]:
  prompts = []
  for text in flags.prompt:
    if text == "-":
      if sys.stdin is None:
        raise UsageError("--prompt=-: standard input is closed")
      text = lines.decoded(sys.stdin.buffer.read(), "--prompt=-")
    prompts.append(text)
  if flags.prompts:
    prompts += _of_file(pathlib.Path(flags.prompts))
  if not prompts:
    raise UsageError("--prompt: needed, or --prompts=FILE")
  return prompts


def _of_file(path: pathlib.Path) -> list[str]:
  """The prompts of a file.

  An empty line of a text is an empty prompt, so that what is printed pairs
  with the lines; one of JSONL is passed over, as by every reader.
  """
  if ".jsonl" in path.suffixes:
    prompts = [
      lines.parsed(data, f"--prompts={path}, line {number}")
      for number, data in enumerate(lines.raw(path), start=1)
      if data.strip()
    ]
  else:
    prompts = [line for _, line in lines.texts(path)]
  if not prompts or not all(isinstance(text, str) for text in prompts):
    raise UsageError(f"--prompts={path}: must hold texts, one a line")
  return prompts
