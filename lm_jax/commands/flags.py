"""Options as absl flags: parsed, with help, and with errors that suggest.

Each command has a FlagValues of its own. A flag keeps its text: it is checked
here, and turned into a value where it is put into a configuration.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import get_origin

from absl import flags

from lm_jax.support import invocation, plugins, registry
from lm_jax.support.errors import UsageError
from lm_jax.support.options import Option
from lm_jax.support.values import show

WIDTH = 80
# Help lists these flags before all others.
MOST_USED = (
  *("experiment", "objectives", "collection", "model", "to", "task", "tasks"),
  *("prompt", "prompts", "query", "objective", "size", "budget", "length"),
  *("batch_size", "seeds", "sweep", "baseline", "workdir", "seed"),
)

# Every command has it; it is read before the others, since it adds to them.
PLUGINS = Option(
  plugins.FLAG[2:], tuple[str, ...], None, plugins.HELP, repeat=True
)


class Given(dict[str, list[str]]):
  """Texts of the flags that were given, by path; `words` are as typed."""

  words: Sequence[str] = ()


class _Checked(flags.ArgumentParser):
  """Passes a text on, once the option has accepted it."""

  def __init__(self, option: Option):
    super().__init__()
    self._option = option

  def parse(self, argument: str) -> str:
    self._option.parse(argument)
    return argument


def parse(
  command: str,
  known: Mapping[str, Option],
  argv: Sequence[str],
  word: str = "",
) -> Given:
  """Returns the flags that were given, as texts by path; the last one counts.

  Args:
    command: its name, for messages.
    known: what may be given.
    argv: what follows the command.
    word: the flag that a bare word stands for, or several, where it is one of
      several values; "" for none.

  Raises:
    UsageError: an unknown flag, a bad value, a bare word too many.
  """
  values = flags.FlagValues()
  values.set_gnu_getopt(True)
  for path, option in known.items():
    kind = flags.MultiFlag if option.repeat else flags.Flag
    flag: flags.Flag = kind(
      _Checked(option),
      flags.ArgumentSerializer(),
      path,
      None,
      option.help,
      boolean=option.kind is bool,
    )
    flags.DEFINE_flag(flag, values)
  try:
    _, *words = values([command, *argv])
  except flags.UnrecognizedFlagError as error:
    close = registry.nearest(error.flagname, known)
    hint = " or ".join(f"--{path}" for path in close)
    hint = f"; did you mean {hint}?" if close else "."
    raise UsageError(
      f"--{error.flagname}: {command} has no such flag{hint}"
      f" All of them: {invocation.line([command, '--help'])}"
    ) from None
  except (flags.Error, ValueError) as error:
    raise UsageError(_plain(error)) from None
  given = Given(
    (path, text if known[path].repeat else [text])
    for path, text in values.flag_values_dict().items()
    if values[path].present
  )
  given.words = argv
  if words and word and known[word].repeat:
    given[word], words = [*given.get(word, []), *words], []
  elif words and word and word not in given:
    several = get_origin(known[word].kind) is tuple
    taken, words = (words, []) if several else (words[:1], words[1:])
    given[word] = [",".join(taken)]
  if words:
    raise UsageError(
      f"{words[0]}: {command} takes flags only, --name=value;"
      f" see {invocation.line([command, '--help'])}"
    )
  return given


def _plain(error: Exception) -> str:
  # absl: "flag --size=x: " and then our own message, which says it again.
  if isinstance(error.__context__, UsageError):
    return str(error.__context__)
  return str(error)


def asked_plugins(argv: Sequence[str]) -> list[str]:
  """Returns the directories that --plugins names, before flags are parsed."""
  directories = []
  words = iter(argv)
  for word in words:
    flag, equals, directory = word.partition("=")
    if flag in (plugins.FLAG, plugins.FLAG[1:]):
      directories.append(directory if equals else next(words, ""))
  return directories


def asked_help(argv: Sequence[str]) -> str | None:
  """Returns the group that --help asks for: "" for all; None without --help."""
  for word in argv:
    flag, _, group = word.partition("=")
    if flag in ("--help", "-help", "-h"):
      return group
  return None


def usage(
  command: str,
  summary: str,
  known: Iterable[Option],
  group: str = "",
) -> str:
  """Returns the help text of a command, its flags by their groups.

  Args:
    known: its flags, the most used first.
    group: the only one to be listed; "" for all.

  Raises:
    UsageError: there is no such group.
  """
  groups: dict[str, list[Option]] = {"": []}
  for option in known:
    groups.setdefault(option.heading, []).append(option)
  if group not in groups:
    raise registry.unknown("--help", group, [name for name in groups if name])
  lines = _wrapped(f"{invocation.program()} {command}: {summary}", "")
  if not group and len(groups) > 1:
    names = ", ".join(name for name in groups if name)
    lines += _wrapped(f"--help=GROUP lists one of the groups {names}", "")
  for name, members in groups.items():
    if members and group in ("", name):
      lines += ["", f"{name}:" if name else "flags:"]
      for option in sorted(members, key=_rank):
        lines += _described(option)
  return "\n".join(lines)


def _rank(option: Option) -> int:
  """Ranks an option in its group: the most used come first."""
  used = option.path in MOST_USED
  return MOST_USED.index(option.path) if used else len(MOST_USED)


def _described(option: Option) -> list[str]:
  default = "" if option.default is None else f"={show(option.default)}"
  text = option.help
  if option.choices:
    valid = ", ".join(str(c) for c in option.choices if c)
    text = f"{text} ({valid})"
  return [f"  --{option.path}{default}", *_wrapped(text, " " * 6)]


def _wrapped(text: str, indent: str) -> list[str]:
  return textwrap.wrap(
    text, WIDTH, initial_indent=indent, subsequent_indent=indent
  )
