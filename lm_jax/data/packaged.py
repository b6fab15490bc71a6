"""Reads the files of corpora that come as Python packages, by their hash.

The packages are found, and never imported.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import importlib.util
import pathlib

from lm_jax.support.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Package:
  """The one version of a package that a corpus is read from.

  module: the name of its folder among the installed ones.
  name: its name on the package index.
  install: the arguments of pip that bring it.
  """

  module: str
  name: str
  version: str
  install: str

  def folder(self) -> pathlib.Path:
    """Returns the folder of the module; UsageError if it is not there."""
    spec = importlib.util.find_spec(self.module)
    if spec is None or not spec.submodule_search_locations:
      raise UsageError(
        f'the package "{self.name}" is not installed; '
        f"get it by: pip install {self.install}"
      )
    return pathlib.Path(next(iter(spec.submodule_search_locations)))

  def check(self, files: list[tuple[str, bytes]], sha256: str) -> None:
    """Raises UsageError unless version and contents are those recorded.

    files: names and contents. sha256: what `contents_hash` gives of them.
    """
    version = importlib.metadata.version(self.name)
    repair = (
      "get the right one by: pip install --force-reinstall"
      f" {self.name}=={self.version}"
    )
    if version != self.version:
      raise UsageError(
        f"found version {version} of the package {self.name}, expected"
        f" {self.version}; {repair}"
      )
    digest = contents_hash(files)
    if digest != sha256:
      raise UsageError(
        f"the files in {self.folder()} hash to {digest}, expected {sha256};"
        f" {repair}"
      )


def contents_hash(files: list[tuple[str, bytes]]) -> str:
  """Hashes (SHA-256) sorted names and contents, each after its length."""
  digest = hashlib.sha256()
  for name, data in sorted(files):
    for part in (name.encode(), data):
      digest.update(len(part).to_bytes(8, "big") + part)
  return digest.hexdigest()
