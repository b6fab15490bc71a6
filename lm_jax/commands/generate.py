"""`python launch.py generate`: prompts to texts on a terminal or in a file."""

from __future__ import annotations

import functools
import json
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from lm_jax.data import lines
from lm_jax.generation import options as options_lib
from lm_jax.generation.options import Generation
from lm_jax.inference import load
from lm_jax.support.errors import UsageError
from lm_jax.support.options import Option
from lm_jax.support.options import show as show_value
from lm_jax.support.printable import printable

if TYPE_CHECKING:  # It imports jax.
  from lm_jax.apps.chat.tools import Tool

Form = Literal["text", "jsonl"]
_SIDES = Literal["", "left", "right"]


def schema() -> dict[str, Option]:
  """The flags."""
  own = (
    Option("model", str, "", "a run directory, or a Hugging Face directory"),
    Option(
      "prompt",
      tuple[str, ...],
      (),
      "what is gone on with; may be given several times; - reads it from"
      " standard input",
      repeat=True,
    ),
    Option(
      "prompts", str, "", "a file of prompts: lines, or JSON strings (.jsonl)"
    ),
    Option(
      "template",
      str,
      "",
      "what is asked of the prompt: a name of `list templates`, or FILE.jinja;"
      " a model with a chat template gets it as a message",
    ),
    Option(
      "field",
      tuple[str, ...],
      (),
      "NAME=VALUE for a template; may be given several times",
      repeat=True,
    ),
    Option(
      "plain",
      bool,
      False,
      "give what a template makes to the model as it is, even if that has a"
      " chat template",
    ),
    Option(
      "source_language",
      str,
      "",
      "of a model that translates (M2M-100, mBART): the language of the"
      " prompt, a code or an English name",
    ),
    Option("target_language", str, "", "and that of the answer"),
    Option(
      "truncate", _SIDES, "", "the side on which too long a prompt is cut"
    ),
    Option(
      "draft",
      str,
      "",
      "a smaller model with the same tokenizer, which guesses ahead; the"
      " texts are distributed as without it",
    ),
    Option(
      "fill",
      int,
      0,
      "of a masked model: print so many candidates for each blank of a prompt,"
      " which its mask token stands for",
    ),
    Option(
      "fill_steps",
      int,
      0,
      "of a masked model: fill all blanks, in so many passes (mask-predict)",
    ),
    Option("format", Form, "text", "of what is printed"),
  )
  return {option.path: option for option in own} | options_lib.schema()


def main(given: Mapping[str, Sequence[str]]) -> int:
  """Generates as flags ask; returns the exit code."""
  last = {path: texts[-1] for path, texts in given.items()}
  if not last.get("model"):
    raise UsageError("--model: needed, a run or a Hugging Face directory")
  texts = _prompts(given)
  tool = _tool(given, texts)
  from lm_jax.generation import defaults

  own = defaults.from_directory(last["model"])
  shown = [
    f"{name}={show_value(value)}"
    for name, value in own.items()
    if name not in given and not name.endswith("token_id")
  ]
  if shown:  # So that nobody wonders why a text is sampled, or so long.
    print(
      f"lm_jax: as the model's files say: {printable(' '.join(shown))}",
      file=sys.stderr,
    )
  if tool:
    own = options_lib.under(tool.template.generation, own)
  where = str(defaults.file_of(last["model"]) or "") if not tool else ""
  options = read_options(given, own, where)
  form = last.get("format", get_args(Form)[0])
  from lm_jax.generation.generate import Generator

  model = load.load(last["model"])
  fill, steps = int(last.get("fill", 0)), int(last.get("fill_steps", 0))
  if fill or steps:
    return _fill(model, f"--model={last['model']}", texts, fill, steps)
  draft = load.load(last["draft"], "--draft") if last.get("draft") else None
  generator = Generator(model, f"--model={last['model']}", draft)
  single = len(texts) * options.num_return_sequences == 1
  streams = form == "text" and single and not options.beams
  # A continuation is printed behind its prompt, what a tool writes alone.
  before = [""] * len(texts) if tool else texts
  begun = False

  def show(number: int, piece: str) -> None:
    nonlocal begun
    del number  # There is one.
    print(piece if begun else before[0] + piece, end="", flush=True)
    begun = True

  run = functools.partial(tool.run, generator) if tool else generator.generate
  side: Any = last.get("truncate", "")  # checked when it was parsed
  found = run(
    texts,
    options,
    side,
    show if streams else None,
    last.get("source_language", ""),
    last.get("target_language", ""),
  )
  if draft is not None:
    print(
      f"lm_jax: {generator.accepted} of {generator.proposed} guesses kept",
      file=sys.stderr,
    )
  if streams:
    print("" if begun else before[0])
    return 0
  for result in found:
    if form == "jsonl":
      fields: dict[str, Any] = {"prompt": texts[result.prompt]}
      fields |= {"text": result.text, "score": result.score}
      fields |= {"finish": result.finish, "tokens": len(result.ids)}
      print(json.dumps(fields, ensure_ascii=False))
    else:
      print(before[result.prompt] + result.text)
  return 0


def _tool(
  given: Mapping[str, Sequence[str]], texts: Sequence[str]
) -> Tool | None:
  """The writing tool that flags name, which takes these texts; or None."""
  name = given.get("template", [""])[-1]
  if not name:
    for flag in ("field", "plain"):
      if flag in given:
        raise UsageError(f"--{flag}: goes with --template")
    return None
  for flag in ("fill", "fill_steps"):
    if flag in given:
      raise UsageError(f"--{flag}: does not go with --template")
  from lm_jax.apps.chat import tools

  template = tools.load(name, "--template")
  fields = tools.fields(given.get("field", ()), template, "--field")
  tool = tools.Tool(template, fields, given.get("plain", [""])[-1] == "true")
  tool.render(texts)  # Raises before any weights are read.
  return tool


def _fill(
  model: Any, what: str, texts: Sequence[str], count: int, steps: int
) -> int:
  """Candidates for blanks, or texts without them, a line each."""
  from lm_jax.generation.infill import Filler

  filler = Filler(model, what)
  for text in texts:
    if steps:
      print(filler.sentence(text, steps))
      continue
    for number, blank in enumerate(filler.blanks(text, count)):
      for candidate in blank:
        shown = json.dumps(candidate.text, ensure_ascii=False)
        print(f"{number}\t{candidate.probability:.6f}\t{shown}")
  return 0


def read_options(
  given: Mapping[str, Sequence[str]],
  defaults: Mapping[str, Any] | None = None,
  where: str = "",
) -> Generation:
  """The options of a generation among flags, checked.

  defaults: of those that were not given, in place of the usual ones; of the
    file `where`.
  """
  values = options_lib.from_flags(given)
  own = (defaults or {}).keys() - values.keys()
  found = Generation(**options_lib.under(values, defaults or {}))
  return found.check("--", own, where)


def _prompts(given: Mapping[str, Sequence[str]]) -> list[str]:
  found = []
  for text in given.get("prompt", ()):
    if text == "-":
      if sys.stdin is None:
        raise UsageError("--prompt=-: standard input is closed")
      text = lines.decoded(sys.stdin.buffer.read(), "--prompt=-")
    found.append(text)
  for name in given.get("prompts", ())[-1:]:
    found += _of_file(pathlib.Path(name))
  if not found:
    raise UsageError("--prompt: needed, or --prompts=FILE")
  return found


def _of_file(path: pathlib.Path) -> list[str]:
  """The prompts of a file.

  An empty line of a text is an empty prompt, so that what is printed pairs
  with the lines; one of JSONL is passed over, as by every reader.
  """
  if ".jsonl" in path.suffixes:
    found = [
      lines.parsed(data, f"--prompts={path}, line {number}")
      for number, data in enumerate(lines.raw(path), start=1)
      if data.strip()
    ]
  else:
    found = [line for _, line in lines.texts(path)]
  if not found or not all(isinstance(text, str) for text in found):
    raise UsageError(f"--prompts={path}: must hold texts, one a line")
  return found
