"""The command line: which commands there are, and how they end.

Exit codes: 0 done, 1 a bug or a failed arm, 2 bad usage or input, 3 diverged,
75 interrupted with everything saved.
"""

from __future__ import annotations

import errno
import importlib
import os
import resource
import select
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn

from lm_jax.commands import flags
from lm_jax.devices import memory
from lm_jax.support import (
  columns,
  invocation,
  options,
  plugins,
  registry,
  streams,
  version,
)
from lm_jax.support.errors import UsageError
from lm_jax.training.interruption import Interruption, caused
from lm_jax.training.stuck import Watch

# Everything heavy is imported by the command that needs it, so that help,
# listings and mistakes are answered at once.

# The commands, the most used first, each with its file in lm_jax/commands.
COMMANDS = {
  "compare": "compare",
  "train": "train",
  "finetune": "finetune",
  "evaluate": "evaluate",
  "generate": "generate",
  "report": "report",
  "reproduce": "reproduce",
  "runs": "runs",
  "list": "listing",
  "doctor": "doctor",
  "import": "importing",
  "export": "export",
  "chat": "chat",
  "retrieve": "retrieve",
  "graph": "graph",
}
_PACKAGE = "lm_jax.commands"
BAD_USAGE, INTERRUPTED = 2, 75
_LIGHT = ("list", "doctor", "report", "runs")  # which do without XLA, or may
_ADDRESSES = 2 * 2**30  # bytes that XLA reserves at the least, on two cores
_TRAIN = ("compare", "train", "finetune", "reproduce")
_SAVE = (*_TRAIN, "import")  # and go on from there


def launch(argv: Sequence[str]) -> NoReturn:
  """Runs a command as this process: signals interrupt it from now on.

  Schedulers send several, and one that comes late changes nothing.
  """
  streams.mend()  # before a descriptor is opened that would be a closed one's
  with Interruption(raises=True) as interruption, Watch():
    try:
      code = main(argv)
      sys.stdout.flush()
    except BrokenPipeError:
      if not _nobody_reads():
        raise
      streams.drop_output()
      code = streams.CLOSED
    except UsageError as error:  # of the last flush
      _say(str(error))
      code = INTERRUPTED if interruption.noted else BAD_USAGE
    except KeyboardInterrupt:  # a second one, while it tidied up
      code = INTERRUPTED
    interruption.ignore()
  if code in (BAD_USAGE, INTERRUPTED) and threading.active_count() > 1:
    # A save that failed leaves threads of orbax that wait for one another.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
  sys.exit(code)


def main(argv: Sequence[str]) -> int:
  """Runs a command and returns the exit code; bugs raise.

  Args:
    argv: what follows the program's name; nothing, or flags only, means
      `compare`.
  """
  command, rest = "compare", list(argv)
  try:
    if argv and (argv[0] == "help" or flags.asked_help(argv[:1]) is not None):
      print(usage())
      return 0
    if argv and argv[0] == "--version":
      print(f"lm_jax {version.__version__}")
      return 0
    if argv and not argv[0].startswith("-"):
      command, *rest = argv
    if command not in COMMANDS:
      raise registry.unknown("", command, COMMANDS)
    if command not in _LIGHT and flags.asked_help(rest) is None:
      _require_room()
    return _run(command, rest)
  except (Exception, KeyboardInterrupt) as error:
    if caused(error):
      again = "; the same command goes on from what is saved"
      saved = command in _SAVE or (command == "evaluate" and _keeps(rest))
      _say(f"interrupted{again if saved else ''}")
      return INTERRUPTED
    usage_error = isinstance(error, UsageError)
    line = str(error) if usage_error else _out_of_memory(error)
    if not line:
      raise
    _say(line)
    return BAD_USAGE


def _keeps(argv: Sequence[str]) -> bool:
  return any(word.lstrip("-").startswith("workdir") for word in argv)


def _say(line: str) -> None:
  """Writes a line in one piece, as other threads may still be writing."""
  sys.stderr.write(f"lm_jax: {line}\n")


def _nobody_reads() -> bool:
  """Returns whether whoever read standard output has gone (`| head`)."""
  poll = select.poll()
  poll.register(sys.stdout.fileno(), 0)
  return any(event & select.POLLERR for _, event in poll.poll(0))


def _out_of_memory(error: BaseException) -> str:
  """Says what to do where memory or processes run out.

  "" of another error.
  """
  text = str(error).partition("\n")[0]
  number = error.errno if isinstance(error, OSError) else None
  if "can't start new thread" in text or number == errno.EAGAIN:
    return (
      f"out of processes: {text}: a higher limit is needed (ulimit -u,"
      " pids.max, or of memory, ulimit -v)"
    )
  # By name: jax may not be imported yet.
  of_device = type(error).__name__ == "JaxRuntimeError"
  if not (
    isinstance(error, MemoryError)
    or number == errno.ENOMEM
    or (of_device and "RESOURCE_EXHAUSTED" in text)
    or "bad_alloc" in text
    or (isinstance(error, ImportError) and "failed to map segment" in text)
  ):
    return ""
  return (
    f"out of memory: {text}: a smaller --batch_size, --length or --size, a"
    " larger --accumulate, or a --mesh of more devices needs less"
  )


def _require_room() -> None:
  """Raises UsageError where XLA would abort in C++, and say it in pages."""
  limit, _ = resource.getrlimit(resource.RLIMIT_AS)
  if limit != resource.RLIM_INFINITY and limit < _ADDRESSES:
    raise UsageError(
      f"the limit of memory, {limit / 2**30:.1f} GiB of addresses (ulimit -v),"
      f" is too low: at least {_ADDRESSES / 2**30:g} GiB, and with more cores"
      " more"
    )


def usage() -> str:
  """Returns the commands, a line each."""
  rows = [(c, registry.summary(_PACKAGE, m)) for c, m in COMMANDS.items()]
  return (
    f"{invocation.program()} [COMMAND] [--FLAG=VALUE ...]; without a command:"
    " compare\n\n"
    + columns.columns(rows)
    + f"\n\n{invocation.program()} COMMAND --help tells its flags, and"
    " --version the version."
  )


def _run(command: str, argv: Sequence[str]) -> int:
  """Runs a command, or prints its help; returns the exit code."""
  if command in _TRAIN:
    memory.keep_freed_memory()
  for directory in flags.asked_plugins(argv):
    plugins.add(directory)
  module = importlib.import_module(f"{_PACKAGE}.{COMMANDS[command]}")
  typed = hasattr(module, "Flags")
  known = options.options(module.Flags) if typed else module.flags()
  if hasattr(module, "settings"):
    known |= module.settings()
  known[flags.PLUGINS.path] = flags.PLUGINS
  group = flags.asked_help(argv)
  if group is not None:
    if hasattr(module, "described"):
      known = module.described(argv) | {flags.PLUGINS.path: flags.PLUGINS}
    summary = registry.summary(_PACKAGE, COMMANDS[command])
    print(flags.usage(command, summary, known.values(), group=group))
    return 0
  given = flags.parse(command, known, argv, getattr(module, "WORD", ""))
  given.pop(flags.PLUGINS.path, None)  # added already
  return module.main(options.read(module.Flags, given) if typed else given)
