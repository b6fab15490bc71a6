"""Commands of a conversation: lines that begin with a slash."""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Callable

from lm_jax.apps.chat import conversation as conversation_lib
from lm_jax.apps.chat import tools
from lm_jax.apps.chat.conversation import Conversation
from lm_jax.apps.chat.session import Session, notice
from lm_jax.generation import options as options_lib
from lm_jax.support import columns, registry
from lm_jax.support.errors import UsageError
from lm_jax.support.printable import printable
from lm_jax.support.values import show

SIGN = "/"


class Quit(Exception):
  """Raised when the user wants to end the conversation."""


@dataclasses.dataclass(frozen=True)
class Command:
  """argument: of the help line. run: of a session and what follows the name."""

  argument: str
  summary: str
  run: Callable[[Session, str], None]


def run(session: Session, line: str) -> None:
  """Runs the command of a line that begins with a slash.

  Raises:
    UsageError: an unknown command, or what is wrong with its argument.
    Quit: it was /quit.
  """
  name, _, argument = line.removeprefix(SIGN).partition(" ")
  name, more, lines = name.partition("\n")
  argument = (lines + more + argument).strip()
  if name in COMMANDS:
    COMMANDS[name].run(session, argument)
  elif name in (writing := tools.names()):
    _tool(session, name, argument, SIGN)
  else:
    valid = [SIGN + command for command in (*COMMANDS, *writing)]
    raise registry.unknown("", f"{SIGN}{name}"[:40], valid)


def _help(_session: Session, _: str) -> None:
  rows = [
    (f"{SIGN}{name} {command.argument}".rstrip(), command.summary)
    for name, command in COMMANDS.items()
  ]
  rows += [
    (f"{SIGN}{name} [FIELD=VALUE] [TEXT]", tools.load(name, "").description)
    for name in tools.names()
  ]
  notes = (
    f"Without TEXT a tool takes the last answer. {SIGN}{SIGN} begins a message"
    ' with a slash.\nA line that ends with \\ goes on, and between two """'
    " lines stand any number.\nCtrl-C stops an answer, Ctrl-D ends."
  )
  _print(columns.columns(rows) + "\n" + notes)


def _quit(_session: Session, _: str) -> None:
  raise Quit


def _reset(session: Session, _: str) -> None:
  session.replace(Conversation(session.conversation.system))
  kept = "; the system prompt stays" if session.conversation.system else ""
  notice(f"a new conversation{kept}")


def _undo(session: Session, _: str) -> None:
  notice(f"taken back: {_begin(session.undo().user)}")


def _retry(session: Session, _: str) -> None:
  session.retry()


def _system(session: Session, text: str) -> None:
  old = session.conversation.system
  if text:
    session.assistant.check_system(text, f"{SIGN}system")
  session.conversation.system = text
  if text:
    notice("the system prompt from the next answer on")
  else:
    notice(f"no system prompt; it was: {old}" if old else "no system prompt")


def _save(session: Session, name: str, command: str = "save") -> None:
  where = f"{SIGN}{command} {_file(name, command)}"
  session.conversation.write(name, where, replace=command == "overwrite")
  notice(f"{len(session.conversation.turns)} exchanges in {name}")


def _load(session: Session, name: str) -> None:
  where = f"{SIGN}load {_file(name, 'load')}"
  conversation = conversation_lib.read(name, where)
  if conversation.system:
    session.assistant.check_system(conversation.system, where)
  session.replace(conversation)
  turns = session.conversation.turns
  if turns:
    notice(f"{len(turns)} exchanges; the last: {_begin(turns[-1].user)}")
  else:
    notice("no exchanges yet")


def _file(name: str, command: str) -> str:
  if not name:
    raise UsageError(f"{SIGN}{command}: needs a file's name")
  return name


def _history(session: Session, _: str) -> None:
  for message in session.conversation.messages():
    _print(f"{message['role']}: {message['content']}")


def _set(session: Session, argument: str) -> None:
  known = options_lib.schema()
  name, equals, text = argument.partition("=")
  name = name.strip()
  if not argument:
    values = session.options()
    rows = [
      (f"{name}={show(getattr(values, name))}", known[name].help)
      for name in known
    ]
    _print(columns.columns(rows))
    return
  if name not in known:
    raise registry.unknown(f"{SIGN}set", name, known)
  if not equals:
    value = show(getattr(session.options(), name))
    _print(f"{name}={value}  {known[name].help}")
    return
  given = {n: v for n, v in session.given.items() if n != name}
  if text.strip():  # Else it is what it was before all flags.
    parsed = (text,) if known[name].repeat else known[name].parse(text.strip())
    given[name] = parsed
  before, session.given = session.given, given
  try:
    values = session.options()
  except UsageError:
    session.given = before
    raise
  notice(f"{name}={show(getattr(values, name))}")


def _template(session: Session, argument: str) -> None:
  name, _, words = argument.partition(" ")
  if not name:
    raise UsageError(f"{SIGN}template: needs a name or FILE.jinja")
  _tool(session, name, words, f"{SIGN}template ")


def _tool(session: Session, name: str, words: str, before: str) -> None:
  """Writes with a prompt template: of the words, or of the last answer."""
  template = tools.load(name, before.strip())
  fields, text = tools.split(words, template)
  if not text:
    if not session.conversation.turns:
      raise UsageError(f"{before}{name}: needs a text, or an answer before it")
    text = session.conversation.turns[-1].answer
  values = {**fields, tools.TEXT: text}
  rendered = template.render(values)
  direction = tools.direction(template, values)
  if direction and session.assistant.languages:
    session.write(text, template.generation, *direction)
  elif session.assistant.template.source.own and rendered != text:
    session.say(rendered, template.generation)
  else:
    session.write(rendered, template.generation)


def _begin(text: str) -> str:
  line = " ".join(text.split())
  return line if len(line) <= 60 else f"{line[:57]}..."


def _print(text: str) -> None:
  if sys.stderr.isatty():  # It would obey what a loaded conversation spells.
    text = printable(text)
  print(text, file=sys.stderr, flush=True)


COMMANDS = {
  "help": Command("", "this list", _help),
  "quit": Command("", "ends; so does Ctrl-D", _quit),
  "reset": Command("", "a new conversation", _reset),
  "undo": Command("", "takes the last message and its answer back", _undo),
  "retry": Command("", "answers the last message again", _retry),
  "history": Command("", "prints the conversation", _history),
  "system": Command("[TEXT]", "the system prompt; without TEXT none", _system),
  "save": Command("FILE", "writes the conversation as JSON", _save),
  "overwrite": Command(
    "FILE",
    "the same, to a file that is there",
    functools.partial(_save, command="overwrite"),
  ),
  "load": Command("FILE", "goes on with the conversation in a file", _load),
  "set": Command(
    "[NAME=VALUE]",
    "an option of generation; alone lists them; NAME= gives it back",
    _set,
  ),
  "template": Command(
    "FILE [FIELD=VALUE] [TEXT]", "writes with a prompt template", _template
  ),
}
