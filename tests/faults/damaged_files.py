"""Every checkpoint file emptied, halved, zeroed, removed.

Seed n is the way n % 4 for the file n // 4 of the last of three steps; LONG
is enough for all of them.
"""

from __future__ import annotations

from . import stored

HOLDS = (
  "never restored silently: said, and the previous good step taken; or the "
  "file bore nothing, and what is restored is equal to the bit"
)
SHORT, LONG = 8, 80
WAYS = ("emptied", "halved", "zeroed", "removed")


def setup(folder):
  shared = stored.Stored(folder)
  assert 4 * len(shared.files()) <= LONG, "some files would be left out"
  return shared


def trial(seed, folder, shared):
  copy = shared.copy(folder)
  files = shared.files()
  path = copy / files[seed // len(WAYS) % len(files)]
  content = path.read_bytes()
  match WAYS[seed % len(WAYS)]:
    case "emptied":
      path.write_bytes(b"")
    case "halved":
      path.write_bytes(content[: len(content) // 2])
    case "zeroed":
      path.write_bytes(bytes(len(content)))
    case "removed":
      path.unlink()
  stored.check(copy, harmless=True)
