"""A stream of batches, read by other processes and reader processes.

Of one corpus or of a mixture, from a random step on, through 1, 2 and 4
processes, and through one of these numbers with two reader processes each.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import random

import numpy as np

from lm_jax.data import rows
from lm_jax.data.options import DataOptions

from . import launching

HOLDS = "one hash"
SHORT, LONG = 3, 100
LENGTH, STEPS = 32, 4


def setup(folder):
  parts = [
    launching.write_corpus(folder / name, documents)
    for name, documents in (("a", 60), ("b", 25), ("c", 40))
  ]
  one = DataOptions(
    corpus=str(parts[0]),
    tokenizer="bytes",
    cache=str(folder / "cache"),
    sentinels=3,
  )
  a, b, c = parts
  mixture = dataclasses.replace(one, corpus=f"{a}:0.6,{b}:0.3,{c}:0.1")
  return [one, mixture, dataclasses.replace(mixture, temperature=1.7)]


def _arrays(batch):
  return [
    getattr(batch, field.name)
    for field in dataclasses.fields(batch)
    if field.name != "label"
  ]


def _hash(batches):
  digest = hashlib.sha256()
  for batch in batches:
    for array in _arrays(batch):
      digest.update(np.ascontiguousarray(array).tobytes())
  return digest.hexdigest()


def _joined(blocks):
  """The batch of which each process has a block."""
  arrays = zip(*map(_arrays, blocks), strict=True)
  return type(blocks[0])(*map(np.concatenate, arrays))


def trial(seed, folder, variants):
  del folder
  rng = random.Random(seed)
  options = rng.choice(variants)
  start = rng.choice([0, rng.randrange(1000), rng.randrange(10**9)])
  order, size = rng.randrange(2**31), rng.choice([4, 8, 32])
  dataset = rows.load(options, LENGTH)
  wanted = _hash(dataset.batch(order, start + k, size) for k in range(STEPS))
  ways = [(1, 0), (2, 0), (4, 0), (rng.choice([1, 2, 4]), 2)]
  for processes, workers in ways:
    with contextlib.ExitStack() as stack:
      streams = []
      for process in range(processes):
        # Each with its own maps and permutations, as in a process of its own.
        stream = rows.load(options, LENGTH).batches(
          order, size, start, process, processes, workers
        )
        streams.append(stack.enter_context(contextlib.closing(stream)))
      found = _hash(
        _joined([next(stream) for stream in streams]) for _ in range(STEPS)
      )
    assert found == wanted, f"{processes} processes, {workers} workers"
