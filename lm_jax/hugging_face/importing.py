"""Makes a run directory of a Hugging Face directory."""

from __future__ import annotations

import dataclasses
import math
import pathlib
import shutil
from typing import Any, NamedTuple

import jax

from lm_jax import config as config_lib
from lm_jax import specials as specials_lib
from lm_jax.config import Config
from lm_jax.config import mesh as mesh_lib
from lm_jax.config.budget import Ledger
from lm_jax.data import hashes, sidecar_files
from lm_jax.devices import sharding
from lm_jax.hugging_face import pretrained, source_files
from lm_jax.hugging_face.pretrained import Foreign
from lm_jax.hugging_face.weights import Weights
from lm_jax.storage import checkpoint, disk, result_file, workdir
from lm_jax.storage.digest import flatten
from lm_jax.storage.log import write_atomically
from lm_jax.storage.result_file import Result
from lm_jax.support.errors import UsageError
from lm_jax.support.status import DONE
from lm_jax.types import ABSENT, Specials

TOKENIZER = "tokenizer.json"
UNFINISHED = workdir.UNFINISHED


class Imported(NamedTuple):
  """The content of result.json, and whether it existed before."""

  result: dict[str, Any]
  reused: bool


def run(
  model: str,
  directory: str,
  mesh: str = "",
  cached: str = "",
  mask: str = "",
) -> Imported:
  """Imports a model, or finds that it was imported there before.

  A run directory holds the parameters as step 0, in float32, and what the
  directory had besides weights. What an interrupted import left is no run,
  and the next one begins anew.

  Args:
    model: a Hugging Face directory.
    directory: of the run to be.
    mesh: of --mesh.
    cached: of --data.cache.
    mask: the token that hides others, where the model has none; LLM2Vec's is
      "_" (BehnamGhader et al. 2024, section 2.1).

  Raises:
    UsageError: the directory is none of theirs, or its model is not
      supported, or the run directory is taken; nothing is written then. Or
      the disk is full.
  """
  if jax.process_count() > 1:
    raise UsageError("import: is done by one process; start it on one host")
  pretrained.require_fit(model)
  workdir.check(directory)
  sizes = mesh_lib.check(mesh, rows=0)
  foreign = pretrained.read(model, cached=cached)
  specials = _specials(foreign, mask)
  config = _config(foreign, directory)
  workdir.check_same(config)
  files = _files(foreign)
  source = {file.path.name: file.sha256 for file in files}
  source |= {"--mask": mask} if mask else {}
  _check_own(directory)
  if not pathlib.Path(directory, "result.json").exists():
    _check_space(directory, foreign)
  path = workdir.create(directory)
  with checkpoint.hold(path):
    existing = _finished(path, source)
    if existing is not None:
      return Imported(existing, True)
    (path / UNFINISHED).touch()
    params = pretrained.parameters(foreign, sharding.make_mesh(sizes))
    _save(path, params)
    _describe(path, config, foreign)
    if mask:
      write_atomically(path / specials_lib.FILE, specials_lib.to_json(specials))
    hashes.require_same(files)
    result = _result(config, foreign, params, source)
    result.write(path / "result.json")
    (path / UNFINISHED).unlink()
  return Imported(result.as_dict(), False)


def _specials(foreign: Foreign, mask: str) -> Specials:
  """The special tokens of a model with a token that hides others.

  Raises:
    UsageError: it has a mask token, or no such token.
  """
  tokenizer = foreign.tokenizer
  if not mask or tokenizer is None:
    if mask:
      raise UsageError(f"--mask={mask}: the model has no tokenizer")
    return Specials()
  if tokenizer.specials.mask != ABSENT:
    raise UsageError(f"--mask={mask}: the tokenizer has a mask token")
  own = tokenizer.id_of(mask)
  if own is None:
    raise UsageError(f"--mask={mask}: is no token of the model's vocabulary")
  return dataclasses.replace(tokenizer.specials, mask=own)


def _config(foreign: Foreign, directory: str) -> Config:
  """Makes the configuration of the run, with a tokenizer of its own."""
  config = foreign.config
  if foreign.tokenizer is not None:
    own = str(pathlib.Path(directory, TOKENIZER).absolute())
    data = dataclasses.replace(config.data, tokenizer=own)
    config = dataclasses.replace(config, data=data)
  return dataclasses.replace(
    config, workdir=directory, name=config.family, arm="import"
  )


def _files(foreign: Foreign) -> list[hashes.Hashed]:
  """Hashes the files of a model, which tell it from others."""
  with Weights(foreign.directory) as weights:
    names = weights.files()
  files = [foreign.directory / name for name in ("config.json", *names)]
  files += source_files.tokenizer_files(foreign.directory)
  return hashes.hash_files(foreign.config.data.cache, files)


def _finished(
  path: pathlib.Path, source: dict[str, str]
) -> dict[str, Any] | None:
  """Returns the content of result.json, if this model was imported before."""
  file = path / "result.json"
  if not file.exists():
    return None
  result = result_file.read(file, "remove it to import again")
  old = result.get("source") or {}
  changed = sorted(x for x in {*old, *source} if old.get(x) != source.get(x))
  if changed:
    raise UsageError(
      f"--workdir={path}: was imported from another {changed[0]}; name another "
      "directory"
    )
  return result


def _check_own(directory: str) -> None:
  """Raises UsageError if files are there that neither a run nor an import made.

  An import replaces what an interrupted one has left.
  """
  path = pathlib.Path(directory)
  names = {x.name for x in path.iterdir()} if path.exists() else set()
  if names - {"lock"} and not names & {"config.json", UNFINISHED}:
    raise UsageError(
      f"--workdir={directory}: is there and not empty, and holds no run; name "
      "another"
    )


def _check_space(directory: str, foreign: Foreign) -> None:
  """Raises UsageError if the disk has no room for the parameters."""
  count = sum(map(math.prod, foreign.model.shapes.values()))
  path = pathlib.Path(directory).absolute()
  while not path.exists():
    path = path.parent
  needed, free = 4 * count, shutil.disk_usage(path).free
  if free < needed:
    raise UsageError(
      f"--workdir={directory}: needs {needed / 1e9:.2f} GB, and "
      f"{free / 1e9:.2f} GB are free"
    )


def _save(path: pathlib.Path, params: Any) -> None:
  meta = {"ledger": Ledger().as_dict(), "data": ""}
  with (
    disk.disk_errors_as_usage(f"--workdir={path}"),
    checkpoint.Checkpoints(
      path / "checkpoints", asynchronous=False
    ) as checkpoints,
  ):
    checkpoints.save(0, {"params": params}, meta, force=True)


def _describe(path: pathlib.Path, config: Config, foreign: Foreign) -> None:
  """Writes what the run is, and what came with the model."""
  # Another model's, of an import that was interrupted.
  shutil.rmtree(path / source_files.FOLDER, ignore_errors=True)
  for name in (TOKENIZER, *sidecar_files.FILES):
    (path / name).unlink(missing_ok=True)
  source_files.keep(foreign.directory, path)
  source_files.keep_tensors(foreign.directory, path, foreign.model)
  if foreign.tokenizer is not None:
    for name, content in foreign.tokenizer.files().items():
      write_atomically(path / name, content)
  resolved = config_lib.resolve(config)
  write_atomically(path / "config.json", config_lib.to_json(resolved))


def _result(
  config: Config, foreign: Foreign, params: Any, source: dict[str, str]
) -> Result:
  leaves = flatten(params).values()
  return Result(
    name=config.name,
    arm=config.arm,
    seed=config.seed,
    status=DONE,
    step=0,
    digest=checkpoint.digest(params),
    objective=config.objective,
    architecture=foreign.model.trunk.architecture,
    parameters=sum(leaf.size for leaf in leaves),
    scoring=config_lib.objective_class(config.objective).scoring,
    ledger=Ledger().as_dict(),
    metrics={},
    items={},
    more={
      "family": config.family,
      "class": foreign.model.architecture,
      "source": source,
    },
  )
