"""Counts exact copies of documents, in bounded memory."""

from __future__ import annotations

import hashlib
import pathlib
import shutil

import numpy as np

_KEPT = 2**20  # hashes in memory, 8 bytes each
_BUCKETS = 64


class Duplicates:
  """Counts documents whose text equals that of an earlier one.

  Texts are compared by 64 bits of their SHA-256. Hashes that do not fit in
  memory go to files, by the first bits of the hash.

  Args:
    folder: for the files; it exists only as long as they do.
  """

  def __init__(self, folder: pathlib.Path):
    self._folder = folder
    self._hashes: list[int] = []
    self._open: hashlib._Hash | None = None

  def add(self, text: bytes, begins: bool) -> None:
    """Adds a document, or the next part of the last one."""
    if begins:
      self._close()
    if self._open is None:
      self._open = hashlib.sha256()
    self._open.update(text)

  def count(self) -> int:
    """Returns the number of duplicates among all documents; call it once."""
    self._close()
    if not self._folder.exists():
      return len(self._hashes) - len(set(self._hashes))
    self._spill()
    duplicates = 0
    for path in self._folder.iterdir():
      hashes = np.fromfile(path, np.uint64)
      duplicates += hashes.size - np.unique(hashes).size
    shutil.rmtree(self._folder)
    return duplicates

  def _close(self) -> None:
    if self._open is None:
      return
    self._hashes.append(int.from_bytes(self._open.digest()[:8], "big"))
    self._open = None
    if len(self._hashes) >= _KEPT:
      self._spill()

  def _spill(self) -> None:
    self._folder.mkdir(exist_ok=True)
    hashes = np.sort(np.array(self._hashes, np.uint64))
    step = 2**64 // _BUCKETS
    edges = np.array([i * step for i in range(1, _BUCKETS)], np.uint64)
    for i, part in enumerate(np.split(hashes, np.searchsorted(hashes, edges))):
      with (self._folder / f"{i:02}").open("ab") as file:
        file.write(part.tobytes())
    self._hashes = []
