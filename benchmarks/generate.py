"""Greedy generation against `generate` of PyTorch Transformers.

    python -m benchmarks.generate            # GPT-2 of 12 x 768; 3 minutes

Both have the same weights and prompts (20 random tokens), choose the likeliest
token 64 times in float32 and never end early; they take turns, each in a
process of its own. What is timed is the whole call, the prompt included; the
ratio is that of the medians. The second part is ours alone: the time of a
token behind 100 and behind 1,000 others, from calls of 24 tokens and of one.
"""

from __future__ import annotations

import argparse
import pathlib
import statistics
import tempfile
import time
from typing import Any

import numpy as np

from benchmarks import peers
from lm_jax.inference import load

PROMPT, NEW, VOCABULARY = 20, 64, 50_257
TARGETS = {1: 2.0, 16: 2.5}
LATER = 1.3


def write_model(directory: str) -> None:
  """A GPT-2 with random weights, as Transformers writes it."""
  import torch
  import transformers

  torch.manual_seed(0)
  # Nothing ends a text: the id lies in the vocabulary and is suppressed.
  config = transformers.GPT2Config(vocab_size=VOCABULARY)
  transformers.GPT2LMHeadModel(config).save_pretrained(directory)


def _prompts(batch: int, length: int = PROMPT) -> list[list[int]]:
  rng = np.random.default_rng(0)
  return rng.integers(5, VOCABULARY - 7, (batch, length)).tolist()


def make_theirs(directory: str, batch: int) -> Any:
  import torch
  import transformers

  cls = transformers.GPT2LMHeadModel
  model = cls.from_pretrained(directory).eval()
  ids = torch.tensor(_prompts(batch))
  mask = torch.ones_like(ids)

  def step() -> None:
    with torch.no_grad():
      found = model.generate(
        ids,
        attention_mask=mask,
        max_new_tokens=NEW,
        min_new_tokens=NEW,
        do_sample=False,
        pad_token_id=0,
      )
    assert found.shape == (batch, PROMPT + NEW)

  return {}, step


def _generator(directory: str) -> Any:
  from lm_jax.devices import memory

  memory.keep_freed_memory()  # as the command line does
  from lm_jax.generation.generate import Generator

  return Generator(load.load(directory))


def _generate(generator: Any, prompts: list[list[int]], count: int) -> None:
  from lm_jax.generation.options import Generation

  end = VOCABULARY - 1
  asked = Generation(
    max_new_tokens=count, eos_token_id=(end,), suppress_tokens=(end,)
  )
  found = generator.continue_ids(prompts, asked)
  assert all(len(result.ids) == count for result in found)


def make_ours(directory: str, batch: int) -> Any:
  generator, prompts = _generator(directory), _prompts(batch)
  return {}, lambda: _generate(generator, prompts, NEW)


def compare(directory: str, batch: int, rounds: int) -> float:
  """Prints a line for the batch size; ours over theirs, of tokens a second."""
  ours = peers.Contestant(make_ours, directory, batch)
  theirs = peers.Contestant(make_theirs, directory, batch)
  a, b = peers.take_turns([ours, theirs], rounds, 2)
  ours.stop()
  theirs.stop()
  ratio = statistics.median(b) / statistics.median(a)
  rates = [batch * NEW / statistics.median(times) for times in (a, b)]
  print(
    f"batch {batch}: lm_jax {rates[0]:.0f} tokens/s ({peers.spread(a)} a call),"
    f" Transformers {rates[1]:.0f} ({peers.spread(b)}): {ratio:.2f} times its"
    f" speed, target {TARGETS.get(batch, 1.0)}",
    flush=True,
  )
  return ratio


def later(directory: str, rounds: int) -> float:
  """The time of a token at position 1,000 over that at position 100."""
  generator, count = _generator(directory), 24
  each: dict[int, list[float]] = {100: [], 1000: []}
  for turn in range(rounds + 1):
    for position, times in each.items():
      seconds = []
      for tokens in (count, 1):
        begin = time.perf_counter()
        _generate(generator, _prompts(1, position - count // 2), tokens)
        seconds.append(time.perf_counter() - begin)
      if turn:  # The first one compiles.
        times.append((seconds[0] - seconds[1]) / (count - 1))
  ratio = statistics.median(each[1000]) / statistics.median(each[100])
  print(
    f"a token at position 100 takes {peers.spread(each[100])}, at 1,000"
    f" {peers.spread(each[1000])}: {ratio:.2f} times as long, target {LATER}",
    flush=True,
  )
  return ratio


def main() -> int:
  parser = argparse.ArgumentParser()
  parser.add_argument("--batches", default="1,16")
  parser.add_argument("--rounds", type=int, default=5)
  options = parser.parse_args()
  missed = False
  with tempfile.TemporaryDirectory() as folder:
    directory = str(pathlib.Path(folder, "gpt2"))
    write_model(directory)
    for batch in map(int, options.batches.split(",")):
      ratio = compare(directory, batch, options.rounds)
      missed |= ratio < TARGETS.get(batch, 1.0)
    missed |= later(directory, options.rounds) > LATER
  return int(missed)


if __name__ == "__main__":
  raise SystemExit(main())
