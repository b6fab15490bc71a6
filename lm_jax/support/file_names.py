"""Names of files made from any text, in any script."""

from __future__ import annotations

import collections
import hashlib
import pathlib
import re
import unicodedata
from collections.abc import Iterable

# UTF-8 bytes of a name: file systems take 255, and "-seed123" and suffixes
# follow.
_LONGEST = 200
_KEPT = "_.=+-"


def safe(text: str) -> str:
  """Makes a file name of a text: a run of other signs becomes one "_".

  Letters, marks and digits of every script stay, in Unicode's form NFC, and so
  do . _ = + and -. Of a very long name the end becomes a hash.

  >>> safe("../a b/诗词.jsonl"), safe("हिन्दी")
  ('_a_b_诗词.jsonl', 'हिन्दी')
  """
  signs = [
    sign if sign in _KEPT or unicodedata.category(sign)[0] in "LMN" else "\0"
    for sign in unicodedata.normalize("NFC", text)
  ]
  return _shortened(re.sub("\0+", "_", "".join(signs)).lstrip(".-") or "_")


def distinct(texts: Iterable[str]) -> dict[str, str]:
  """Makes file names of different texts, by text: no two are the same.

  Those that would have one name end in a hash of their text.
  """
  names = {text: safe(text) for text in texts}
  counts = collections.Counter(names.values())
  return {
    text: name if counts[name] == 1 else _hashed(name, text)
    for text, name in names.items()
  }


def former(text: str) -> str:
  """Makes the name as it was before letters of other scripts were kept."""
  name = re.sub(r"[^\w.=+-]+", "_", text, flags=re.ASCII).lstrip(".-") or "_"
  return _shortened(name)


def in_folder(folder: pathlib.Path, text: str) -> str:
  """Makes a file name of a text; the former one where only that is there."""
  name, before = safe(text), former(text)
  if (folder / before).exists() and not (folder / name).exists():
    return before
  return name


def _shortened(name: str) -> str:
  return name if len(name.encode()) <= _LONGEST else _hashed(name, name)


def _hashed(name: str, text: str) -> str:
  """Ends a name in the hash of a text; a letter that it cuts is left out."""
  begin = name.encode()[: _LONGEST - 9].decode(errors="ignore")
  data = text.encode(errors="surrogateescape")
  return f"{begin}-{hashlib.sha256(data).hexdigest()[:8]}"
