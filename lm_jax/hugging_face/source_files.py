"""Keeps files that came with a Hugging Face model besides its weights.

A run on it keeps that in a folder of its own, so that an export gives it back:
config.json, the tokenizer's files, the names and dtypes of the tensors. Never
code, nor what names code.
"""

from __future__ import annotations

import contextlib
import functools
import json
import pathlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from lm_jax.families._fields import is_directory
from lm_jax.hugging_face import sentences
from lm_jax.hugging_face.model import Model
from lm_jax.hugging_face.weights import Weights, write
from lm_jax.storage.log import write_atomically
from lm_jax.support import links, strict_json, typed_json

FOLDER = "hugging_face"
# In that folder: the dtypes of the tensors by name.
TENSORS = "tensors.json"
# And the tensors that hold none of our parameters.
UNUSED = "unused"
# A tensor to be written: name, dtype, shape, and what gives it.
Stored = tuple[str, np.dtype, tuple[int, ...], Callable[[], np.ndarray]]
# What may stand beside a config.json: how it generates, and a tokenizer.
GENERATION = ("generation_config.json", "chat_template.jinja")
# And what tells people of it, and sentence-transformers.
CARD = ("README.md", *sentences.FILES, "2_Normalize/config.json")
TOKENIZER = (
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.txt",
  "vocab.json",
  "merges.txt",
  "spiece.model",
  "sentencepiece.bpe.model",
  "tokenizer.model",
)
# What may name code to be run; all else is copied as it is.
_NAMING = ("config.json", "tokenizer_config.json", "generation_config.json")
_CODE = ("auto_map", "custom_pipelines")


def folder(directory: str | pathlib.Path) -> pathlib.Path:
  """Returns the folder of the model's files, in a run or in their own place."""
  path = pathlib.Path(directory)
  return path if is_directory(directory) else path / FOLDER


def tokenizer_files(directory: pathlib.Path) -> list[pathlib.Path]:
  """Lists a tokenizer's files in a directory, or in a run's `folder`."""
  return _there(directory, TOKENIZER)


def _there(directory: pathlib.Path, names: Sequence[str]) -> list[pathlib.Path]:
  """Lists the files that exist; raises UsageError for links that lead out."""
  paths = (directory / name for name in names)
  return [links.inside(path, directory) for path in paths if path.is_file()]


def check(directory: pathlib.Path) -> None:
  """Raises UsageError unless what is to be kept of theirs can be read.

  No file may be a link that leads outside.
  """
  for path in _there(directory, (*_NAMING, *TOKENIZER, *GENERATION, *CARD)):
    if path.name in _NAMING:
      typed_json.read_as(path, dict)


def keep(model: str | pathlib.Path, run: pathlib.Path) -> None:
  """Copies what came with a model into the directory of a run on it.

  The model is a directory of a run or of theirs, and may have nothing to be
  kept. Of the tensors nothing is said: the run's are its own.
  """
  give_back(folder(model), run / FOLDER, config=True, card=True)


def keep_tensors(
  directory: pathlib.Path, run: pathlib.Path, model: Model
) -> None:
  """Notes the tensors of a directory of theirs, which the run has unchanged.

  Those that are no parameters of the model are kept as they are.
  """
  content = json.dumps(tensors(directory), indent=2) + "\n"
  write_atomically(run / FOLDER / TENSORS, content)
  with Weights(directory) as weights:
    unused = model.unused(weights.names())
    if unused:
      write(run / FOLDER / UNUSED, _as_they_are(weights, unused))


@contextlib.contextmanager
def unused(
  directory: str | pathlib.Path, names: Sequence[str]
) -> Iterator[list[Stored]]:
  """The tensors that are no parameters of ours, as `write` takes them.

  The directory is of theirs, or of a run that has kept them; without names
  nothing is opened.
  """
  if not names:
    yield []
    return
  path = pathlib.Path(directory)
  if not is_directory(directory):
    path = folder(directory) / UNUSED
  with Weights(path) as weights:
    yield _as_they_are(weights, names)


def _as_they_are(weights: Weights, names: Sequence[str]) -> list[Stored]:
  return [
    (
      name,
      weights.dtype(name),
      weights.shape(name),
      functools.partial(weights.read, name),
    )
    for name in names
  ]


def tensors(directory: str | pathlib.Path) -> dict[str, str]:
  """The tensors' dtypes by name; {} of a run that has trained since."""
  if is_directory(directory):
    with Weights(pathlib.Path(directory)) as weights:
      return {name: weights.dtype(name).name for name in weights.names()}
  path = folder(directory) / TENSORS
  if not path.is_file():
    return {}
  return typed_json.read_as(links.inside(path), dict[str, str])


def give_back(
  source: pathlib.Path,
  to: pathlib.Path,
  config: bool = False,
  card: bool = False,
) -> None:
  """Copies the files of theirs, leaving out what names code.

  Args:
    source: of `folder`.
    to: created if there is anything to be copied.
    config: with config.json.
    card: with its card and the files of sentence-transformers.
  """
  files = tokenizer_files(source)
  names = (*GENERATION, "config.json") if config else GENERATION
  files += _there(source, (*names, *(CARD if card else ())))
  for path in files:
    copy = to / path.relative_to(source)
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, copy)
    if copy.parent == to and path.name in _NAMING:
      _remove_code(copy)


def without_code(values: dict[str, Any]) -> dict[str, Any]:
  """The fields of a file, but for those that name code."""
  return {name: x for name, x in values.items() if name not in _CODE}


def _remove_code(path: pathlib.Path) -> None:
  """Changes nothing, not a space, of a file that names none."""
  values = strict_json.read(path)
  if set(_CODE) & set(values):
    text = json.dumps(without_code(values), indent=2, ensure_ascii=False)
    path.write_text(text + "\n", "utf-8")
