"""The command line: which commands there are, and how they end.

Exit codes: 0 done, 1 a bug or a failed arm, 2 bad usage or input, 3 diverged,
75 interrupted with everything saved.
"""

from __future__ import annotations

import errno
import os
import pathlib
import resource
import select
import sys
import textwrap
import threading
from collections.abc import Callable, Sequence
from typing import NoReturn

from lm_jax.commands import listing
from lm_jax.devices import memory
from lm_jax.support import columns, invocation, registry, streams, version
from lm_jax.support.errors import UsageError
from lm_jax.training.interruption import Interruption, caused
from lm_jax.training.stuck import Watch

# Everything heavy is imported by the command that needs it, so that help,
# listings and mistakes are answered at once.

BAD_USAGE, INTERRUPTED = 2, 75
_LIGHT = ("list", "doctor", "report")  # which do without XLA, or may
_ADDRESSES = 2 * 2**30  # bytes that XLA reserves at the least, on two cores
_SAVE = ("compare", "train", "finetune", "import")  # and go on from there


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
    if argv and (argv[0] == "help" or _asks_help(argv[:1])):
      print(usage())
      return 0
    if argv and argv[0] == "--version":
      print(f"lm_jax {version.__version__}")
      return 0
    if argv and not argv[0].startswith("-"):
      command, *rest = argv
    if command not in COMMANDS:
      raise registry.unknown("", command, COMMANDS)
    if command not in _LIGHT and not _asks_help(rest):
      _require_room()
    return COMMANDS[command][1](rest)
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
  """In one piece: threads of a save that failed may still be writing."""
  sys.stderr.write(f"lm_jax: {line}\n")


def _nobody_reads() -> bool:
  """Has whoever read standard output gone (`| head`)?"""
  poll = select.poll()
  poll.register(sys.stdout.fileno(), 0)
  return any(event & select.POLLERR for _, event in poll.poll(0))


def _out_of_memory(error: BaseException) -> str:
  """What to do where there is too little memory, or too few processes.

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
  """The commands, a line each."""
  rows = [(name, summary) for name, (summary, _) in COMMANDS.items()]
  return (
    f"{invocation.program()} [COMMAND] [--FLAG=VALUE ...]; without a command:"
    " compare\n\n"
    + columns.columns(rows)
    + f"\n\n{invocation.program()} COMMAND --help tells its flags, and"
    " --version the version."
  )


def _compare(argv: list[str]) -> int:
  memory.keep_freed_memory()
  from lm_jax.commands import compare

  if _asks_help(argv):
    _help("compare", compare.described(argv), argv)
    return 0
  return compare.main(argv)


def _train(argv: list[str]) -> int:
  memory.keep_freed_memory()
  from lm_jax.commands import flags, train
  from lm_jax.devices import cluster
  from lm_jax.storage import machines

  known = train.schema()
  if _help("train", known | cluster.FLAGS, argv):
    return 0
  parsed = flags.parse("train", known | cluster.FLAGS, argv)
  given = {path: texts[-1] for path, texts in parsed.items()}
  processes = cluster.from_flags(given)
  given = {path: text for path, text in given.items() if path in known}
  machines.use_threads(given.get("workdir", ""))
  with cluster.joined(processes):
    return train.main(given)


def _finetune(argv: list[str]) -> int:
  memory.keep_freed_memory()
  from lm_jax.commands import finetune, flags
  from lm_jax.devices import cluster
  from lm_jax.finetuning import recipe
  from lm_jax.runs import protocol
  from lm_jax.storage import machines

  known = recipe.schema()
  plural = protocol.schema()
  every = known | plural | cluster.FLAGS
  if _help("finetune", every, argv):
    return 0
  parsed = flags.parse("finetune", every, argv)
  if {"models", "tasks"} & set(parsed):
    from lm_jax.runs import protocol_run

    return protocol_run.main(parsed, argv)
  for path in set(plural) - set(known):
    if path in parsed:
      raise UsageError(
        f"--{path}={parsed[path][-1]}: belongs to a protocol, --models and"
        " --tasks"
      )
  given = {path: texts[-1] for path, texts in parsed.items()}
  processes = cluster.from_flags(given)
  given = {path: text for path, text in given.items() if path in known}
  machines.use_threads(given.get("workdir", ""))
  with cluster.joined(processes):
    return finetune.main(given)


def _evaluate(argv: list[str]) -> int:
  from lm_jax.commands import flags
  from lm_jax.evaluation import flags as flags_lib

  known = flags_lib.schema()
  if _help("evaluate", known, argv):
    return 0
  chosen = flags_lib.read(flags.parse("evaluate", known, argv))
  from lm_jax.commands import evaluate

  return evaluate.main(chosen)


def _generate(argv: list[str]) -> int:
  from lm_jax.commands import flags, generate

  known = generate.schema()
  if _help("generate", known, argv):
    return 0
  return generate.main(flags.parse("generate", known, argv))


def _retrieve(argv: list[str]) -> int:
  from lm_jax.commands import flags, retrieve

  known = retrieve.schema()
  if _help("retrieve", known, argv):
    return 0
  return retrieve.main(flags.parse("retrieve", known, argv))


def _graph(argv: list[str]) -> int:
  from lm_jax.commands import flags, graph

  known = graph.schema()
  if _help("graph", known, argv):
    return 0
  return graph.main(flags.parse("graph", known, argv))


def _chat(argv: list[str]) -> int:
  from lm_jax.commands import chat, flags

  known = chat.schema()
  if _help("chat", known, argv):
    return 0
  return chat.main(flags.parse("chat", known, argv))


def _import(argv: list[str]) -> int:
  from lm_jax.commands import flags
  from lm_jax.support.options import Option

  known = {
    "model": Option("model", str, "", "a Hugging Face directory"),
    "workdir": Option(
      "workdir", str, "", "the run directory to be; under runs/ unless given"
    ),
    "mesh": Option("mesh", str, "", "devices by axis, data=4,fsdp=2"),
    "data.cache": Option("data.cache", str, "", "directory of prepared data"),
  }
  if _help("import", known, argv):
    return 0
  given = {k: v[-1] for k, v in flags.parse("import", known, argv).items()}
  if "model" not in given:
    raise UsageError("--model: needed, a Hugging Face directory")
  from lm_jax.commands import importing

  model = given["model"]
  workdir = given.get("workdir") or f"runs/{pathlib.Path(model).resolve().name}"
  result, reused = importing.run(
    model, workdir, given.get("mesh", ""), given.get("data.cache", "")
  )
  print(
    f"{workdir}: {'was there: ' if reused else ''}{result['class']},"
    f" {result['parameters']:,} parameters, goes on by"
    f" --objective={result['objective']}"
  )
  return 0


def _export(argv: list[str]) -> int:
  from lm_jax.commands import flags
  from lm_jax.support.options import Option

  known = {
    "model": Option("model", str, "", "a run directory"),
    "to": Option("to", str, "", "the Hugging Face directory to be"),
    "family": Option(
      "family",
      str,
      "",
      "one of `list families`; by default that of the objective",
    ),
    "dtype": Option(
      "dtype",
      str,
      "",
      "float32, float16 or bfloat16; by default float32, or what an imported"
      " model had",
    ),
    "adapter": Option(
      "adapter",
      bool,
      False,
      "write what was trained of an adapted model by itself, as PEFT reads it,"
      " in the place of the merged model",
    ),
  }
  if _help("export", known, argv):
    return 0
  given = {k: v[-1] for k, v in flags.parse("export", known, argv).items()}
  for name, what in (
    ("model", "a run directory"),
    ("to", "a directory that is new or empty"),
  ):
    if not given.get(name):
      raise UsageError(f"--{name}: needed, {what}")

  from lm_jax.commands import export

  for directory in export.run(
    given["model"],
    given["to"],
    given.get("family", ""),
    given.get("dtype", ""),
    known["adapter"].parse(given.get("adapter", "false")),
  ):
    print(directory)
  return 0


def _report(argv: list[str]) -> int:
  from lm_jax.commands import flags, report

  known = report.schema()
  if _help("report", known, argv):
    return 0
  return report.main(flags.parse("report", known, argv))


def _doctor(argv: list[str]) -> int:
  from lm_jax.commands import doctor, flags

  known = doctor.flags()
  if _help("doctor", known, argv):
    return 0
  given = {k: v[-1] for k, v in flags.parse("doctor", known, argv).items()}
  if doctor.wants_plan(given):
    print("\n".join(doctor.plan(given)))
    return 0
  text, missing = doctor.report()
  print(text)
  return 1 if missing else 0


def _list(argv: list[str]) -> int:
  from lm_jax.commands import flags

  if _asks_help(argv):
    notes = f"KIND: {', '.join(listing.KINDS)}."
    notes = textwrap.fill(notes, flags.WIDTH)
    notes += "\n--show is for templates, the other flags for corpora."
    kinds = map(listing.schema, listing.KINDS)
    described = [option for known in kinds for option in known.values()]
    print(flags.usage("list KIND", COMMANDS["list"][0], described, notes))
    return 0
  kind, *rest = argv or [""]
  known = listing.schema(kind)
  if not kind or (rest and not known):
    raise UsageError(f"list: takes one of {', '.join(listing.KINDS)}")
  given = flags.parse(f"list {kind}", known, rest)
  print(listing.listing(kind, {path: v[-1] for path, v in given.items()}))
  return 0


def _asks_help(argv: Sequence[str]) -> bool:
  return bool({"--help", "-help", "-h"} & set(argv))


def _help(command: str, known, argv: Sequence[str]) -> bool:
  """Prints the help of a command if that is what was asked for."""
  if not _asks_help(argv):
    return False
  from lm_jax.commands import flags

  print(flags.usage(command, COMMANDS[command][0], known.values()))
  return True


COMMANDS: dict[str, tuple[str, Callable[[list[str]], int]]] = {
  "compare": ("objectives under one budget, with a report", _compare),
  "train": ("one run of one objective", _train),
  "finetune": ("train a model on a task's examples", _finetune),
  "evaluate": ("measure a trained model", _evaluate),
  "generate": ("texts that go on with prompts", _generate),
  "retrieve": (
    "documents for queries, and answers from them",
    _retrieve,
  ),
  "graph": ("what texts say, as a graph and its picture", _graph),
  "chat": ("a conversation with a model", _chat),
  "import": ("a Hugging Face directory becomes a run directory", _import),
  "export": ("a model becomes a Hugging Face directory", _export),
  "report": ("write pages again; two models, item by item", _report),
  "doctor": (
    "versions, devices, disk; a run on many chips, on paper",
    _doctor,
  ),
  "list": ("everything that can be named", _list),
}
