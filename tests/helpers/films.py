"""Examples for sst2 in local files: a few words that tell the label."""

import json

import numpy as np

WORDS = (
  ["grim", "dull", "cold", "cruel"],
  ["lovely", "bright", "warm", "kind"],
)


def lines(count, seed):
  rng = np.random.default_rng(seed)
  for _ in range(count):
    label = int(rng.integers(2))
    words = [*rng.choice(WORDS[label], 2), "a", "film"]
    yield {"text": " ".join(rng.permutation(words)), "label": label}


def write(folder, **counts):
  """Writes NAME.jsonl with COUNT examples for each name; the folder's name."""
  for name, count in counts.items():
    text = "\n".join(map(json.dumps, lines(count, len(name))))
    (folder / f"{name}.jsonl").write_text(text)
  return str(folder)
