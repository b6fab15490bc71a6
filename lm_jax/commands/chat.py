"""Holds a conversation with a model, on a terminal or from a script."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lm_jax.apps.chat.session import MAX_NEW_TOKENS, Form
from lm_jax.config import phases
from lm_jax.generation import options as options_lib
from lm_jax.generation import read_options
from lm_jax.inference import load
from lm_jax.support import status
from lm_jax.support.errors import UsageError
from lm_jax.support.options import Option, names_given, option, texts_of_others

if TYPE_CHECKING:  # They import jax.
  from lm_jax.apps.chat.session import Session
  from lm_jax.apps.chat.terminal import Lines


@dataclasses.dataclass(frozen=True)
class Flags:
  """The model, and the conversation."""

  model: str = option(
    "",
    "a run directory, or a Hugging Face directory",
    needed="a run or a Hugging Face directory",
  )
  as_: str = option("", phases.AS)
  system: str = option("", "the system prompt")
  chat_template: str = option(
    "",
    "a file, or the name of one of several that the model has; by default the"
    " model's own, or User: and Assistant: where it has none",
  )
  load: str = option(
    "", "a conversation to continue, in the form that /save writes"
  )
  context: int = option(
    0,
    "tokens of the conversation and an answer, beyond which the oldest"
    " exchanges are left out; 0: what the model can read",
    least=0,
  )
  format: Form = option("text", "of answers")
  settings: Mapping[str, Sequence[str]] = texts_of_others()
  given: frozenset[str] = names_given()


def settings() -> dict[str, Option]:
  """Returns the options of a generation as flags."""
  known = options_lib.schema()
  most = known["max_new_tokens"]
  return known | {most.path: dataclasses.replace(most, default=MAX_NEW_TOKENS)}


def main(flags: Flags) -> int:
  """Talks as flags ask; returns the exit code."""
  values = read_options.from_flags(flags.settings)
  options_lib.Generation(**values).check()
  from lm_jax.apps.chat import conversation as conversation_lib
  from lm_jax.apps.chat import session as session_lib
  from lm_jax.apps.chat import template
  from lm_jax.apps.chat.model import Assistant
  from lm_jax.apps.chat.terminal import Interrupt, Lines
  from lm_jax.generation.generate import Generator

  conversation = conversation_lib.Conversation()
  if flags.load:
    conversation = conversation_lib.read(flags.load, f"--load={flags.load}")
  if "system" in flags.given:  # "" takes that of --load away
    conversation.system = flags.system
  source = template.find(flags.model, flags.chat_template)
  model = load.load(flags.model, objective=flags.as_)
  generator = Generator(model)
  assistant = Assistant(generator, source, flags.context)
  try:
    lines, interrupt = Lines(), Interrupt()
    session = session_lib.Session(
      assistant, conversation, values, flags.format, interrupt
    )
    session.options()  # Raises where they can't be.
    if conversation.system:
      assistant.check_system(conversation.system, "--system")
    # A script ends at Ctrl-C, as any other command does.
    with interrupt if lines.interactive else contextlib.nullcontext():
      _talk(session, lines, flags.model)
    return 0
  except KeyboardInterrupt:
    print("lm_jax: interrupted", file=sys.stderr)
    return status.EXIT[status.INTERRUPTED]
  finally:
    assistant.close()


def _talk(session: Session, lines: Lines, name: str) -> None:
  """Reads messages and commands until there are no more."""
  from lm_jax.apps.chat import commands
  from lm_jax.apps.chat.session import notice
  from lm_jax.apps.chat.terminal import Cancelled

  if lines.interactive:
    own = session.assistant.template.source.own
    notice(
      f"{name}: {session.assistant.room} tokens of context,"
      f" {'its own' if own else 'no'} chat template; /help lists commands"
    )
  while True:
    try:
      line = lines.read()
      if line is None:
        break
      # Two slashes begin a message with one.
      if line.startswith(commands.SIGN) and line[1:2] != commands.SIGN:
        commands.run(session, line)
      elif line.strip():
        session.say(line.removeprefix(commands.SIGN))
    except commands.Quit:
      return
    except Cancelled:
      print(file=sys.stderr)
      notice("/quit or Ctrl-D ends")
    except UsageError as error:
      if not lines.interactive:
        raise UsageError(f"line {lines.number}: {error}") from None
      print(f"lm_jax: {error}", file=sys.stderr, flush=True)
  if lines.interactive:
    print(file=sys.stderr)  # Ctrl-D leaves the cursor in the line.
