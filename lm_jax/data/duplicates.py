"""How many documents are there twice: exact copies, in bounded memory."""

from __future__ import annotations

import hashlib
import pathlib
import shutil

import numpy as np

_KEPT = 2**20  # hashes in memory, 8 bytes each
_BUCKETS = 64


class Duplicates:
  """Counts documents whose text another one before them has.

  By 64 bits of SHA-256. What doesn't fit in memory goes to files, by the first
  bits of the hash.

  Args:
    folder: for the files; it is there only while they are.
  """

  def __init__(self, folder: pathlib.Path):
    self._folder = folder
    self._hashes: list[int] = []
    self._open: hashlib._Hash | None = None

  def add(self, text: bytes, begins: bool) -> None:
    """Takes a document, or what follows of it."""
    if begins:
      self._close()
    if self._open is None:
      self._open = hashlib.sha256()
    self._open.update(text)

  def count(self) -> int:
    """The number of duplicates among all documents; it can be asked once."""
    self._close()
    if not self._folder.exists():
      return len(self._hashes) - len(set(self._hashes))
    self._spill()
    found = 0
    for path in self._folder.iterdir():
      hashes = np.fromfile(path, np.uint64)
      found += hashes.size - np.unique(hashes).size
    shutil.rmtree(self._folder)
    return found

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
