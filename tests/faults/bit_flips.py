"""Random bit flips in a checkpoint.

One to three bits, anywhere in the files of the last of three steps.
"""

from __future__ import annotations

import random

from . import stored

HOLDS = (
  "never restored silently: said, and the previous good step taken; or the "
  "flip bore nothing, and what is restored is equal to the bit"
)
SHORT, LONG = 10, 500


def setup(folder):
  return stored.Stored(folder)


def trial(seed, folder, shared):
  rng = random.Random(seed)
  copy = shared.copy(folder)
  files = [copy / path for path in shared.files()]
  sizes = [path.stat().st_size for path in files]
  for _ in range(rng.randint(1, 3)):
    # Half of the flips in proportion to the bytes, half to the files.
    weights = sizes if rng.random() < 0.5 else [size > 0 for size in sizes]
    path = rng.choices(files, weights)[0]
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
  stored.check(copy, harmless=True)
