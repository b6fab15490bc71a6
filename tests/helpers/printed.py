"""The commands that README and docs/ print, and what each reads and leaves."""

from __future__ import annotations

import pathlib
import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parents[2]
README = ROOT / "README.md"
# What was measured, with data that are not here.
RECORDS = (
  *("results.md", "speed.md", "speed_gpu.md", "reliability.md"),
  "published.md",
)
DOCUMENTS = [README] + [
  path
  for path in sorted((ROOT / "docs").glob("*.md"))
  if path.name not in RECORDS
]
# Directories that a user downloads.
DOWNLOADED = {
  "bert-base-uncased": "bert",
  "gpt2": "gpt2",
  "llama-chat": "llama",
  "all-MiniLM-L6-v2": "bert",
  "m2m100": "m2m_100",
}
LAUNCH = ["python", "launch.py"]


class Printed(NamedTuple):
  """A command as it is printed.

  words: what follows `python launch.py`; of others all.
  stdin, stdout: files that it is connected with.
  """

  document: str
  line: int
  words: tuple[str, ...]
  launch: bool
  stdin: str = ""
  stdout: str = ""

  @property
  def command(self) -> str:
    if self.words and not self.words[0].startswith("-"):
      return self.words[0]
    return "compare"

  @property
  def flags(self) -> list[str]:
    return list(self.words[self.words[:1] == (self.command,) :])

  @property
  def partial(self) -> bool:
    """Is it for machines that are not here: "..." stands for more?"""
    elsewhere = {"...", "--distributed", "--launcher=slurm"}
    return not elsewhere.isdisjoint(self.words)

  def values(self, name: str) -> list[str]:
    start = f"--{name}="
    return [w.removeprefix(start) for w in self.words if w.startswith(start)]

  def value(self, name: str, default: str = "") -> str:
    return (self.values(name) or [default])[-1]

  def __str__(self) -> str:
    return f"{self.document}:{self.line} {shlex.join(self.words)}"


def commands(path: pathlib.Path) -> list[Printed]:
  """The commands of a document's indented blocks, in their order."""
  return list(_commands(path))


def _commands(path: pathlib.Path) -> Iterator[Printed]:
  lines = path.read_text().split("\n")
  number = 0
  while number < len(lines):
    start, text = number, lines[number]
    number += 1
    if not re.match(r" {4,}(node\d\$ )?(python|lm_jax|pip) ", text):
      continue
    while text.endswith("\\"):
      text = text[:-1] + lines[number].strip()
      number += 1
    text = re.sub(r"^ *(node\d\$ )?", "", text)
    for part in re.split(r" && ", text):
      words = shlex.split(part, comments=True)
      streams = {"<": "", ">": ""}
      for sign in streams:
        if sign in words:
          at = words.index(sign)
          streams[sign] = words[at + 1]
          del words[at : at + 2]
      launch = words[:2] == LAUNCH
      yield Printed(
        path.name,
        start + 1,
        tuple(words[2:] if launch else words),
        launch,
        streams["<"],
        streams[">"],
      )


def files(path: pathlib.Path) -> dict[str, str]:
  """The files that a document shows, by the path in their first line."""
  blocks = re.findall(r"```python\n# (\S+)\n(.*?)```", path.read_text(), re.S)
  return dict(blocks)


def made(printed: Printed) -> list[str]:
  """The directories and files that a command leaves."""
  if not printed.launch:
    return []
  command, seed = printed.command, printed.value("seed", "0")
  found = [printed.stdout] if printed.stdout else []
  if command == "train":
    usual = f"runs/{printed.value('objective', 'clm')}-seed{seed}"
    found.append(printed.value("workdir", usual))
  elif command == "finetune" and not printed.values("models"):
    source = pathlib.PurePath(printed.value("model", "tiny")).name
    usual = f"runs/{printed.value('task')}-{source}-seed{seed}"
    found.append(printed.value("workdir", usual))
  elif command == "compare" and {"--plan", "--status"} & {*printed.words}:
    pass  # It tells, and leaves nothing.
  elif command == "compare":
    name = printed.value("experiment", "compare_objectives")
    found.append(printed.value("workdir", f"runs/{name}"))
  elif command in ("finetune", "evaluate", "import") or (
    command == "report" and printed.values("predictions")
  ):
    found += printed.values("workdir")
  elif command == "export" or (command == "report" and printed.values("to")):
    found += printed.values("to")
  return found


def read(printed: Printed) -> list[str]:
  """The directories and files that a command reads, patterns included."""
  if not printed.launch:
    return []
  found = [printed.stdin] if printed.stdin else []
  for name in ("model", "embedder", "reader", "relations", "baseline"):
    found += printed.values(name)
  for text in printed.values("models"):
    found += [part.rpartition("=")[2] for part in text.split(",")]
  for text in printed.values("predictions"):
    if printed.command == "report":
      found += text.split(",")
  for text in printed.values("task_data"):
    found.append(_place(text.rpartition("=")[2]))
  if printed.command == "report" and not printed.values("predictions"):
    found += printed.values("workdir")
  for text in printed.values("with"):
    found += text.split(",")
  for name in ("collection", "queries", "load", "file"):
    found += printed.values(name)
  found += [
    t.removeprefix("./") for t in printed.values("template") if "/" in t
  ]
  for text in printed.values("data.corpus"):
    parts = [_place(part) for part in text.split(",")]
    found += [part for part in parts if part not in ("sotu", "laws_zh")]
  return found


def _place(text: str) -> str:
  """Without a weight or languages behind it."""
  return re.sub(r":(\d[\d.]*|[a-z,-]+)$", "", text)
