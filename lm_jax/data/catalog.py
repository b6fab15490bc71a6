"""Finds and prepares any data set that TFDS knows by name; no TensorFlow."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import importlib.util
import io
import pathlib
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from absl import logging

from lm_jax.data import (
  embedded,
  hugging_face_sets,
  network,
  own_builders,
  tfds_features_check,
  threads,
)
from lm_jax.support.errors import UsageError


class _Dtypes:
  """Stands in for TensorFlow where a TFDS module reads its dtypes.

  SuperGLUE's configurations use tf.int32 columns and nothing else of it.
  """

  def __getattr__(self, name: str) -> Any:
    if name not in ("int32", "int64", "float32", "float64"):
      raise ModuleNotFoundError("No module named 'tensorflow'", name=name)
    return getattr(np, name)


def _import_module_of(name: str) -> None:
  """Imports the module of an old-style builder, which registers it."""
  import tensorflow_datasets as tfds

  package = pathlib.Path(tfds.__file__).parent
  for path in sorted(package.glob(f"*/{name}.py")):
    module = importlib.import_module(
      f"{package.name}.{path.parent.name}.{name}"
    )
    if hasattr(module, "tf") and not importlib.util.find_spec("tensorflow"):
      module.tf = _Dtypes()  # type: ignore[attr-defined]
  for path in sorted(package.glob(f"*/{name}/__init__.py")):
    if path.parent.parent.name != "datasets":  # Those are found by name.
      category = path.parent.parent.name
      importlib.import_module(f"{package.name}.{category}.{name}")


def _old_style_names() -> set[str]:
  """Names of the text builders that TFDS lists only once they are imported."""
  import tensorflow_datasets as tfds

  folder = pathlib.Path(tfds.__file__).parent / "text"
  names = {path.stem for path in folder.iterdir()}
  return {n for n in names if not n.startswith("_") and n + "_test" in names}


def find(corpus: str) -> Any:
  """Returns the builder of a TFDS name, such as `wikipedia/20230601.en`.

  A user's own data set is looked up by its code or by its prepared files. Where
  there is no such data set, configuration or version it raises UsageError.
  """
  import tensorflow_datasets as tfds

  if corpus.startswith(hugging_face_sets.PREFIX):
    with quiet():
      return hugging_face_sets.find(corpus)
  wanted = own_builders.plain(corpus)
  valid = own_builders.NAME.fullmatch(wanted) is not None
  name = wanted.partition("/")[0].partition(":")[0]
  if valid:
    _import_module_of(name)
  known = tfds.list_builders(with_community_datasets=False)
  if valid and name not in known:
    may = own_builders.may_import(corpus)
    if may and own_builders.import_code(name):
      known = [*known, name]
    elif (builder := own_builders.prepared(wanted)) is not None:
      return builder
  if not valid or name not in known:
    names = sorted({*embedded.CORPORA, *known, *_old_style_names()})
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    raise UsageError(
      "no such file, directory or TFDS data set; "
      f"valid are {', '.join(embedded.CORPORA)}, a path or glob, and the names "
      "that tfds.list_builders() gives; a builder of yours is the module"
      f" {name} on PYTHONPATH, or its path"
      + (f" (nearest: {', '.join(near)})" if near else "")
    )
  for folder in tfds.core.utils.file_utils.list_data_dirs():
    tfds_features_check.check(pathlib.Path(folder, name))
  try:
    with quiet(), own_builders.faults_named():
      return tfds.builder(wanted, file_format="array_record")
  except ModuleNotFoundError as error:
    missing = str(error).rpartition(": ")[2]
    raise UsageError(f"needs more: {missing}") from error
  except (ValueError, AssertionError, tfds.core.DatasetNotFoundError) as error:
    configs = sorted(tfds.builder_cls(name).builder_configs)
    near = difflib.get_close_matches(
      wanted.partition("/")[2], configs, n=3, cutoff=0
    )
    reason = str(error).strip().partition("\n")[0]
    raise UsageError(
      reason + (f"; nearest configurations: {', '.join(near)}" if near else "")
    ) from error


def check_text(builder: Any, text_key: str) -> None:
  """Raises UsageError unless `--data.text_key` is a text feature."""
  import tensorflow_datasets as tfds

  features = builder.info.features or {}
  kind = tfds.features.Text
  valid = sorted(k for k in features if isinstance(features[k], kind))
  if text_key not in valid:
    raise UsageError(
      f"--data.text_key={text_key}: no text of {builder.info.full_name}; "
      f"valid: {', '.join(valid) or 'none, it holds no text'}"
    )


@contextlib.contextmanager
def quiet(folder: pathlib.Path | None = None) -> Iterator[None]:
  """Suppresses TFDS's output, warnings and temporary files.

  Its progress bars stay, on terminals only. `folder` is the parent of its
  temporary directory; None: the system's default.
  """
  import tensorflow_datasets as tfds

  if not sys.stderr.isatty():
    tfds.disable_progress_bar()
  before, verbosity = tempfile.tempdir, logging.get_verbosity()
  logging.set_verbosity(logging.ERROR)
  with (
    contextlib.redirect_stdout(io.StringIO()),
    tempfile.TemporaryDirectory(prefix="lm_jax-", dir=folder) as own,
  ):
    tempfile.tempdir = own
    try:
      yield
    finally:
      tempfile.tempdir = before
      logging.set_verbosity(verbosity)


def prepare(builder: Any, corpus: str) -> None:
  """Downloads and prepares a data set unless that was done before.

  Raises:
    UsageError: it needs Beam, a manual download, TensorFlow or a network,
      and that is missing; the message names the step.
  """
  import tensorflow_datasets as tfds

  with quiet():
    there = builder.is_prepared()
  if there:
    return
  where = f"not prepared in {builder.data_dir}"
  if isinstance(builder, tfds.core.BeamBasedBuilder):
    raise UsageError(
      f"{where}, and preparing it takes Apache Beam: where that and "
      "TensorFlow are installed run `tfds build "
      f"{corpus} --file_format=array_record`, then copy it there"
    )
  if builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
    steps = " ".join(builder.MANUAL_DOWNLOAD_INSTRUCTIONS.split())
    raise UsageError(
      f"{where}, and it takes a manual download into "
      f"{builder._data_dir_root}/downloads/manual: {steps}"
    )
  try:
    with quiet(), network.checked(), own_builders.faults_named():
      builder.download_and_prepare()
  except FileExistsError:
    if not builder.is_prepared():  # Else another process was faster.
      raise
  except ModuleNotFoundError as error:
    raise UsageError(
      f"{where}, and preparing it takes the module {error.name}, which is not "
      "installed"
    ) from error
  except OSError as error:
    reason = " ".join(str(error).split())
    raise UsageError(f"{where}, and preparing it failed: {reason}") from error


def source(builder: Any, split: str) -> Any:
  """Returns random access to the examples of a prepared data set.

  Raises:
    UsageError: it has no such split, or was prepared in a file format that
      TensorFlow alone reads.
  """
  if split not in builder.info.splits:
    raise UsageError(
      f"it has no split {split!r}, only "
      f"{', '.join(sorted(builder.info.splits))}"
    )
  file_format = builder.info.file_format.value
  if file_format != "array_record":
    raise UsageError(
      f"{builder.data_dir} was prepared as {file_format}, which takes"
      " TensorFlow to read; valid is array_record: name another directory in"
      " $TFDS_DATA_DIR"
    )
  threads.require()
  return builder.as_data_source(split=split)


def examples(source: Any, where: str) -> Iterator[Any]:
  """Yields the examples of a data source, in order.

  Raises:
    UsageError: a file is damaged, by array_record's own checksums; `where`
      names it.
  """
  try:
    yield from source
  except RuntimeError as error:
    if "Corrupted" not in str(error):
      raise
    reason = " ".join(str(error).split())
    raise UsageError(
      f"{where}: is damaged, prepare it anew: {reason}"
    ) from None


def configurations(name: str) -> list[str]:
  """Lists the names of a data set's configurations, in TFDS's order."""
  import tensorflow_datasets as tfds

  _import_module_of(name)
  return list(tfds.builder_cls(name).builder_configs)
