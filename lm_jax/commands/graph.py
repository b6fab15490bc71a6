"""`python launch.py graph`: texts to GraphML, JSON-LD and a picture."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence

from lm_jax.inference import load
from lm_jax.storage import disk
from lm_jax.storage.log import write_atomically
from lm_jax.support.errors import UsageError
from lm_jax.support.options import Option

ENDS = (".graphml", ".jsonld", ".png")


def schema() -> dict[str, Option]:
  """The flags."""
  own = (
    Option(
      "model",
      str,
      "",
      "a run of finetune that tags the words of entities (wnut17, conll, ...)"
      " or writes triples",
    ),
    Option(
      "relations",
      str,
      "",
      "a run of finetune on marked pairs of entities (semeval2010t8); without"
      " it the graph has entities only",
    ),
    Option(
      "text",
      tuple[str, ...],
      (),
      "what is read; may be given several times",
      repeat=True,
    ),
    Option("file", str, "", "a file of text to be read"),
    Option(
      "out",
      str,
      "graph",
      f"what is written: OUT{', OUT'.join(ENDS)}; they must not be there",
    ),
  )
  return {option.path: option for option in own}


def main(given: Mapping[str, Sequence[str]]) -> int:
  """Writes the graph of texts as flags ask; returns the exit code."""
  last = {name: values[-1] for name, values in given.items()}
  if not last.get("model"):
    raise UsageError("--model: needed, a run of finetune")
  texts = list(given.get("text", ()))
  if last.get("file"):
    texts.append(_text_of(pathlib.Path(last["file"])))
  if not any(text.strip() for text in texts):
    raise UsageError("--text: needed, or --file=FILE, with some text")
  out = last.get("out") or "graph"
  paths = [pathlib.Path(f"{out}{end}") for end in ENDS]
  for path in paths:
    if path.exists():
      raise UsageError(f"--out={out}: {path} is there; name another")
    if not path.parent.is_dir():
      raise UsageError(f"--out={out}: {path.parent} is no directory")
  from lm_jax.apps.graph.graph import library

  library()  # Before any weights are read.
  from lm_jax.apps.graph import formats, picture, read

  model = load.load(last["model"])
  relations = None
  if last.get("relations"):
    relations = load.load(last["relations"], "--relations")
  flags = (f"--model={last['model']}", f"--relations={last.get('relations')}")
  read.check(model, relations, flags)
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


def _text_of(path: pathlib.Path) -> str:
  try:
    return path.read_bytes().decode("utf-8-sig")
  except UnicodeDecodeError as error:
    raise UsageError(
      f"--file={path}: is not UTF-8 at byte {error.start}"
    ) from None
  except OSError as error:
    raise UsageError(f"--file={path}: {error.strerror}") from None
