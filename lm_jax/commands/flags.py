"""Options as absl flags: parsed, with help, and with errors that suggest.

Each command has a FlagValues of its own. A flag keeps its text: it is checked
here, and turned into a value where it is put into a configuration.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

from absl import flags

from lm_jax.support import invocation, registry
from lm_jax.support.errors import UsageError
from lm_jax.support.options import Option, show

WIDTH = 80


class _Checked(flags.ArgumentParser):
  """Passes a text on, once the option has accepted it."""

  def __init__(self, option: Option):
    super().__init__()
    self._option = option

  def parse(self, argument: str) -> str:
    self._option.parse(argument)
    return argument


def parse(
  command: str, known: Mapping[str, Option], argv: Sequence[str]
) -> dict[str, list[str]]:
  """The flags that were given, as texts by path; the last one counts.

  Args:
    command: its name, for messages.
    known: what may be given.
    argv: what follows the command.

  Raises:
    UsageError: an unknown flag, a bad value, a bare word.
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
  if words:
    raise UsageError(
      f"{words[0]}: {command} takes flags only, --name=value;"
      f" see {invocation.line([command, '--help'])}"
    )
  return {
    path: text if known[path].repeat else [text]
    for path, text in values.flag_values_dict().items()
    if values[path].present
  }


def _plain(error: Exception) -> str:
  # absl: "flag --size=x: " and then our own message, which says it again.
  if isinstance(error.__context__, UsageError):
    return str(error.__context__)
  return str(error)


def usage(
  command: str, summary: str, known: Iterable[Option], notes: str = ""
) -> str:
  """The help text of a command, its flags grouped by their first part."""
  lines = [f"{invocation.program()} {command}: {summary}"]
  group = None
  for option in known:
    head = option.path.partition(".")[0] if "." in option.path else ""
    if head != group:
      lines += ["", f"{head}:" if head else "flags:"]
      group = head
    default = "" if option.default is None else f"={show(option.default)}"
    lines.append(f"  --{option.path}{default}")
    text = option.help
    if option.choices:
      valid = ", ".join(str(c) for c in option.choices if c)
      text = f"{text} ({valid})"
    lines += textwrap.wrap(
      text, WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6
    )
  if notes:
    lines += ["", notes]
  return "\n".join(lines)
