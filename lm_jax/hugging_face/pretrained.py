"""Reads models in directories of Hugging Face Transformers."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
from typing import Any

from absl import logging

from lm_jax.config import OBJECTIVES, Config
from lm_jax.config import trunk as trunk_lib
from lm_jax.data import hashes, open_tokenizer, sidecar_files
from lm_jax.data.options import DataOptions
from lm_jax.data.tokenizer import Tokenizer
from lm_jax.devices import sharding
from lm_jax.families import _fields
from lm_jax.families._fields import is_directory as is_directory  # offered here
from lm_jax.hugging_face import read as read_lib
from lm_jax.hugging_face import source_files
from lm_jax.hugging_face import tokenizers as tokenizers_lib
from lm_jax.hugging_face.model import Model
from lm_jax.hugging_face.weights import Weights
from lm_jax.objectives.base import Objective
from lm_jax.specials import FILE as SPECIALS
from lm_jax.specials import to_json
from lm_jax.support import cache, registry
from lm_jax.support.errors import UsageError
from lm_jax.types import Specials, Trunk

# Beside a converted tokenizer: what is to be said of it.
_NOTE = "note.txt"
# Rows of a model whose positions have no end.
LONGEST_ROW = 1024


@dataclasses.dataclass(frozen=True)
class Foreign:
  """A Hugging Face directory, with nothing of the weights read.

  config: of the run that it becomes when it is imported.
  tokenizer: None where there are no files of one.
  """

  directory: pathlib.Path
  model: Model
  config: Config
  tokenizer: Tokenizer | None


def read(directory: str, flag: str = "--model", cached: str = "") -> Foreign:
  """Reads all but the weights, whose names and shapes are checked.

  `flag` names the directory in messages; the converted tokenizer is kept in
  `cached`, of --data.cache. Raises UsageError that says what is wrong.
  """
  path = pathlib.Path(directory)
  candidates = read_lib.describe(path, flag)
  try:
    trunk_lib.check(candidates[0].trunk)
  except UsageError as error:
    raise UsageError(f"{path / 'config.json'}: means {error}") from None
  source_files.check(path)
  specials(path, flag)  # Raises here and not when a text is read.
  with Weights(path, flag) as weights:
    _check_layers(candidates[0].trunk, weights, path)
    model = read_lib.match(candidates, weights)
  tokenizer = _tokenizer(path, model, flag, cached)
  return Foreign(path, model, _config(model, tokenizer, cached), tokenizer)


def _check_layers(trunk: Trunk, weights: Weights, path: pathlib.Path) -> None:
  """Raises UsageError before so many layers are traced in vain."""
  layers = len(set(trunk.sharing)) or trunk.layers
  count = len(weights.names())
  if layers + trunk.encoder_layers > count:
    raise UsageError(
      f"{path / 'config.json'}: means {layers + trunk.encoder_layers} layers, "
      f"and {weights.where} has {count} tensors in all"
    )


def parameters(foreign: Foreign, mesh: Any = None) -> Any:
  """The parameters, float32, tensor by tensor from the file to the devices.

  mesh: of lm_jax.devices.sharding; by default all devices.
  """
  with Weights(foreign.directory) as weights:
    return read_lib.parameters(
      foreign.model, weights, mesh or sharding.make_mesh()
    )


def _tokenizer(
  directory: pathlib.Path, model: Model, flag: str, cached: str
) -> Tokenizer | None:
  """The directory's tokenizer, converted once and kept in the cache."""
  there = source_files.tokenizer_files(directory)
  if not there:
    return None
  there.append(directory / "config.json")
  fields = read_lib.fields_of(directory, flag)
  kind = str(fields.values["model_type"])

  def build(folder: pathlib.Path) -> None:
    converted = tokenizers_lib.read(directory, kind, dict(fields.values))
    tokenizers_lib.check_size(converted, model.trunk.vocabulary, directory)
    (folder / SPECIALS).write_text(to_json(converted.specials), "utf-8")
    if converted.note:
      (folder / _NOTE).write_text(converted.note, encoding="utf-8")
    if converted.languages:
      text = json.dumps(converted.languages)
      (folder / sidecar_files.LANGUAGES).write_text(text, "utf-8")
    (folder / "tokenizer.json").write_text(converted.content, encoding="utf-8")
    hashes.require_same(sources)
    cache.seal(folder)

  sources = hashes.hash_files(cached, there)
  facts = [(source.path.name, source.sha256) for source in sources]
  # What an older converter made is not what this one makes.
  code = hashlib.sha256()
  for source in sorted(
    pathlib.Path(tokenizers_lib.__file__).parent.glob("*.py")
  ):
    code.update(source.read_bytes())
  name = cache.key("foreign", code.hexdigest(), model.trunk.vocabulary, facts)
  folder = cache.root(cached) / "tokenizers" / name
  file = open_tokenizer.kept(folder, build)
  if (folder / _NOTE).is_file():
    logging.warning("%s", (folder / _NOTE).read_text("utf-8"))
  named = next((p.path for p in sources if p.path.name == file.name), None)
  return Tokenizer(file, named=named)


def _config(model: Model, tokenizer: Tokenizer | None, cached: str) -> Config:
  trunk = model.trunk
  names = (*trunk_lib.FIELDS, *trunk_lib.FROM_DATA)
  objective = model.family.objective_for(trunk, model.outputs)
  cls = registry.find(OBJECTIVES, objective, Objective, "--objective")
  return Config(
    objective=objective,
    architecture=trunk.architecture,
    length=min(trunk.max_positions or LONGEST_ROW, LONGEST_ROW),
    data=DataOptions(
      tokenizer=str(tokenizer.path) if tokenizer else DataOptions.tokenizer,
      packing="document" if cls.needs_documents else "packed",
      cache=cached,
    ),
    trunk={name: getattr(trunk, name) for name in names},
    heads={
      name: {} if head is None else dataclasses.asdict(head)
      for name, head in model.outputs.items()
    },
    family=type(model.family).__module__.rpartition(".")[2],
  )


def specials(directory: str | pathlib.Path, flag: str) -> Specials:
  """Reads the special tokens of config.json, in a run directory too."""
  folder = source_files.folder(directory)
  fields = read_lib.fields_of(folder, flag)
  return read_lib.family_of(fields).specials(fields)


def starts_with_last(config: Config) -> bool:
  """Family.starts_with_last of an imported model; else False."""
  return (
    bool(config.family) and read_lib.families()[config.family].starts_with_last
  )


def require_fit(directory: str) -> None:
  """Raises UsageError unless --model is a Hugging Face directory."""
  fields = _fields.read(pathlib.Path(directory), "--model")
  if is_directory(directory):
    return
  what = "has no model_type"
  if {"objective", "trunk"} <= set(fields.values):
    what = "is that of a run directory"
  raise UsageError(
    f"{fields.where}: {what}; --model takes a Hugging Face directory, with a "
    "config.json that has one, and model.safetensors"
  )
