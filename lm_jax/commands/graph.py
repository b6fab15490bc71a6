"""Writes what texts say as a graph, with its picture."""

from __future__ import annotations

import dataclasses
import pathlib

from lm_jax.data import lines
from lm_jax.inference import load
from lm_jax.storage import disk
from lm_jax.storage.log import write_atomically
from lm_jax.support import errors
from lm_jax.support.errors import UsageError
from lm_jax.support.options import option

ENDS = (".graphml", ".jsonld", ".png")


@dataclasses.dataclass(frozen=True)
class Flags:
  """The text, the models that read it, and the files that are written."""

  model: str = option(
    "",
    "a run of finetune that tags the words of entities (wnut17, conll, ...) or"
    " writes triples",
    needed="a run of finetune",
  )
  relations: str = option(
    "",
    "a run of finetune on marked pairs of entities (semeval2010t8); without it"
    " the graph has entities only",
  )
  text: tuple[str, ...] = option(
    (), "the text that is read; may be given several times", repeat=True
  )
  file: str = option("", "a file of text that is read")
  out: str = option(
    "graph",
    f"write OUT{', OUT'.join(ENDS)}, which must not exist",
  )


def main(flags: Flags) -> int:
  """Writes the graph of texts as flags ask; returns the exit code."""
  texts = list(flags.text)
  if flags.file:
    with errors.about("--file"):
      data = lines.content(pathlib.Path(flags.file))
      texts.append(lines.decoded(data, flags.file))
  if not any(text.strip() for text in texts):
    raise UsageError("--text: needed, or --file=FILE, with some text")
  out = flags.out or "graph"
  paths = [pathlib.Path(f"{out}{end}") for end in ENDS]
  for path in paths:
    if path.exists():
      raise UsageError(f"--out={out}: {path} is there; name another")
    if not path.parent.is_dir():
      raise UsageError(f"--out={out}: {path.parent} is no directory")
  from lm_jax.apps.graph.graph import library

  library()  # Before any weights are read.
  from lm_jax.apps.graph import formats, picture, read

  model = load.load(flags.model)
  relations = None
  if flags.relations:
    relations = load.load(flags.relations, "--relations")
  named = (f"--model={flags.model}", f"--relations={flags.relations}")
  read.check(model, relations, named)
  graph = read.read(texts, model, relations)
  with disk.disk_errors_as_usage(f"--out={out}"):
    write_atomically(paths[0], formats.graphml(graph))
    write_atomically(paths[1], formats.json_ld(graph))
    write_atomically(paths[2], picture.png(graph))
  print(
    f"{len(graph.entities)} entities, {len(graph.relations)} relations:"
    f" {' '.join(map(str, paths))}"
  )
  return 0
