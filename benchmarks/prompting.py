"""Log-likelihoods of choices against PyTorch Transformers.

    python -m benchmarks.prompting           # GPT-2 of 12 x 768; 5 minutes

Items are 40 words of the embedded corpus behind two others with their answers,
each with two choices of a word or four of several. Both have the same weights,
tokens and prompts, in float32, and take turns in processes of their own;
their sums are compared first. Theirs is the plain loop over items and choices,
one text at a time, and the same with 8 padded texts of like length at a time.
The ratio is that of the medians, of items a second.
"""

from __future__ import annotations

import argparse
import pathlib
import statistics
import tempfile
from typing import Any

import numpy as np

from benchmarks import peers
from lm_jax.inference import load

VOCABULARY, TOKENS, WORDS = 50_257, 8_000, 40
CHOICES = {
  "a word": (" Republican", " Democratic"),
  "several": (
    " the early republic",
    " the later nineteenth century",
    " the twentieth century",
    " our time",
  ),
}
BATCH = 8


def _passages(count: int) -> list[str]:
  from lm_jax.tasks.party import Party

  found = Party().examples("train")[:count]
  return [" ".join(e.fields["text"].split()[:WORDS]) for e in found]


def write_model(directory: str) -> None:
  """A GPT-2 with random weights, and a tokenizer of the passages."""
  import tokenizers
  import torch
  import transformers

  torch.manual_seed(0)
  config = transformers.GPT2Config(vocab_size=VOCABULARY)
  transformers.GPT2LMHeadModel(config).save_pretrained(directory)
  tokenizer = tokenizers.ByteLevelBPETokenizer()
  tokenizer.train_from_iterator(
    _passages(300),
    TOKENS,
    special_tokens=["<|endoftext|>"],
    show_progress=False,
  )
  tokenizer.save_model(directory)


def _pairs(kind: str, items: int) -> list[tuple[str, str]]:
  texts = _passages(items + 2)
  shots = "\n\n".join(f"{t}\nIt is{CHOICES[kind][0]}" for t in texts[:2])
  return [
    (f"{shots}\n\n{text}\nIt is", choice)
    for text in texts[2:]
    for choice in CHOICES[kind]
  ]


def make_ours(directory: str, kind: str, items: int) -> Any:
  from lm_jax.devices import memory

  memory.keep_freed_memory()  # as the command line does
  from lm_jax.prompting.likelihood import Likelihood
  from lm_jax.prompting.pairs import Pair

  judge = Likelihood(load.load(directory))
  pairs = [Pair(*pair) for pair in _pairs(kind, items)]
  sums = judge.scores(pairs).sums
  facts = {"sums": sums, "programs": judge.programs}
  return facts, lambda: judge.scores(pairs)


def make_theirs(directory: str, kind: str, items: int, batch: int) -> Any:
  import torch
  import transformers

  model = transformers.GPT2LMHeadModel.from_pretrained(directory).eval()
  tokenizer = transformers.GPT2Tokenizer.from_pretrained(directory)
  pairs = _pairs(kind, items)

  def step() -> np.ndarray:
    rows = []
    for prompt, choice in pairs:
      # Texts of GPT-2 begin with the token that ends them.
      whole = [0, *tokenizer.encode(prompt + choice)]
      rows.append((whole, 1 + len(tokenizer.encode(prompt))))
    order = sorted(range(len(rows)), key=lambda i: len(rows[i][0]))
    sums = np.zeros(len(rows))
    for start in range(0, len(rows), batch):
      some = order[start : start + batch]
      size = max(len(rows[i][0]) for i in some)
      ids = torch.zeros((len(some), size), dtype=torch.long)
      for b, i in enumerate(some):
        ids[b, : len(rows[i][0])] = torch.tensor(rows[i][0])
      with torch.no_grad():
        logits = model(ids).logits
        for b, i in enumerate(some):
          whole, first = rows[i]
          logs = torch.log_softmax(logits[b, first - 1 : len(whole) - 1], -1)
          sums[i] = sum(
            float(logs[t, token]) for t, token in enumerate(whole[first:])
          )
    return sums

  return {"sums": step()}, step


def main() -> int:
  parser = argparse.ArgumentParser()
  parser.add_argument("--items", type=int, default=32)
  parser.add_argument("--rounds", type=int, default=3)
  options = parser.parse_args()
  with tempfile.TemporaryDirectory() as folder:
    directory = str(pathlib.Path(folder, "gpt2"))
    write_model(directory)
    for kind in CHOICES:
      for batch in (1, BATCH):
        _compare(directory, kind, batch, options.items, options.rounds)
  return 0


def _compare(
  directory: str, kind: str, batch: int, items: int, rounds: int
) -> None:
  ours = peers.Contestant(make_ours, directory, kind, items)
  theirs = peers.Contestant(make_theirs, directory, kind, items, batch)
  apart = np.abs(ours.facts["sums"] - theirs.facts["sums"]).max()
  assert apart < 1e-3, f"log-likelihoods differ by {apart}"
  a, b = peers.take_turns([ours, theirs], rounds, 1)
  ours.stop()
  theirs.stop()
  rates = [items / statistics.median(times) for times in (a, b)]
  print(
    f"{len(CHOICES[kind])} choices of {kind}: lm_jax {rates[0]:.2f} items/s"
    f" ({ours.facts['programs']} programs), Transformers by {batch}"
    f" {rates[1]:.2f}: {rates[0] / rates[1]:.2f} times its speed;"
    f" sums differ by {apart:.0e}",
    flush=True,
  )


if __name__ == "__main__":
  raise SystemExit(main())
