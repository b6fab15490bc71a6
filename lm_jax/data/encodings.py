"""Reads files in other encodings than UTF-8: --data.encoding."""

from __future__ import annotations

import codecs
import io
import pathlib
from typing import IO, Any

from lm_jax.support.errors import UsageError

UTF8 = "utf-8"
_SOME = "utf-8, gb18030, big5, shift_jis, euc-kr, cp1251, utf-16"
# Python counts these among encodings of text: spellings in ASCII, of hosts and
# of string literals.
_SPELLINGS = ("idna", "punycode", "unicode_escape", "raw_unicode_escape")
_BYTES = 2**16


def check(encoding: str) -> str:
  """Returns Python's name of an encoding, or raises UsageError."""
  try:
    codec = codecs.lookup(encoding)
    "".encode(codec.name)  # Those of bytes to bytes are refused here.
  except (LookupError, ValueError, TypeError, UnicodeError) as error:
    raise _unknown(encoding) from error
  if codec.name.replace("-", "_") in _SPELLINGS:
    raise _unknown(encoding)
  # Byte-order marks are taken off anyway.
  return UTF8 if codec.name == "utf-8-sig" else codec.name


def _unknown(encoding: str) -> UsageError:
  return UsageError(
    f"--data.encoding={encoding}: no encoding of text that Python has; valid"
    f" are {_SOME} and others"
  )


def to_utf8(
  file: IO[bytes], encoding: str, errors: str, path: pathlib.Path
) -> IO[bytes]:
  """Returns a file whose bytes are those of another, in UTF-8.

  Args:
    file: open for reading.
    encoding: of its text.
    errors: "strict" or "replace", as --data.errors says.
    path: names the file in messages.

  Raises:
    UsageError: an unknown encoding; later, by reading, bytes that are none of
      it.
  """
  name = check(encoding)
  if name == UTF8:
    return file
  return io.BufferedReader(_Transcoder(file, name, errors, path), _BYTES)


class _Transcoder(io.RawIOBase):
  """A file in UTF-8 over one in another encoding."""

  def __init__(
    self, file: IO[bytes], encoding: str, errors: str, path: pathlib.Path
  ):
    self._file = file
    self._decoder = codecs.getincrementaldecoder(encoding)(errors)
    self._encoding = encoding
    self._path = path
    self._read = 0  # bytes
    self._ready = b""
    self._ended = False

  def readable(self) -> bool:
    return True

  def readinto(self, buffer: Any) -> int:
    while not self._ready and not self._ended:
      self._ready = self._next().encode("utf-8", "replace")
    size = min(len(buffer), len(self._ready))
    buffer[:size] = self._ready[:size]
    self._ready = self._ready[size:]
    return size

  def _next(self) -> str:
    data = self._file.read(_BYTES)
    self._ended = not data
    try:
      text = self._decoder.decode(data, final=self._ended)
    except UnicodeDecodeError as error:
      # It holds what was left of the bytes before, too.
      start = self._read + len(data) - len(error.object) + error.start
      raise UsageError(
        f"{self._path}: byte {start} (0x{error.object[error.start]:02x}) is"
        f" not {self._encoding}, which --data.encoding names;"
        " --data.errors=replace goes on with U+FFFD in its place"
      ) from error
    except UnicodeError as error:  # UTF-16 that ends inside of a character
      raise UsageError(
        f"{self._path}: is not {self._encoding}, which --data.encoding names:"
        f" {error}"
      ) from error
    self._read += len(data)
    return text
