"""All benchmarks of speed on a CPU, into docs/speed.md; about 15 minutes.

    pip install -e '.[compare]' && python -m benchmarks

Nothing else should run beside them.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import pathlib
from collections.abc import Iterator

from benchmarks import lengths, start, train_step
from lm_jax.command import doctor

PACKAGES = ("jax", "flax", "torch", "transformers")
KERNELS = ("blocked", "sparse")


def page(rounds: int) -> Iterator[str]:
  """The lines of docs/speed.md, as they are measured."""
  versions = (f"{p} {importlib.metadata.version(p)}" for p in PACKAGES)
  yield from (
    "# Speed",
    "",
    f"`python -m benchmarks`, {datetime.date.today()}, {doctor.machine()};"
    f" float32; {', '.join(versions)}.",
    "Medians and middle halves; all sides take turns in processes of their own."
    " Machines differ from hour",
    "to hour: compare within a table only.",
    "",
    "## A training step beside PyTorch",
    "",
    "The same parameters (ours, exported), tokens, AdamW and clipping, no"
    " dropout, equal threads; losses and",
    "norms of the gradients (PyTorch's summed in float64) are compared before"
    " anything is timed. Where ours is",
    "ahead it computes less: logits of the chosen tokens alone. The floor is"
    " what bare products of matrices",
    "take for the model FLOPs of a step.",
  )
  for objective in train_step.CASES:
    found = train_step.compare(objective, rounds, 2, train_step.MODES)
    yield from ("", *train_step.told(found))
  yield from (
    "",
    "## Time a token, by the length of rows",
    "",
    "clm, 6 x 384, 8,192 tokens a step in rows that documents of 64 to 512"
    " tokens fill. `blocked` computes the",
    "scores up to the diagonal, `sparse` those of blocks of 128 x 128 in which"
    " a document lies; `auto` takes",
    "sparse from rows of 1,024 on.",
    "",
    *lengths.compare(lengths.LENGTHS[1:], KERNELS, max(1, rounds // 2), False),
    "",
    "## Until something happens",
    "",
    *start.told(start.measure("clm", rounds), "clm"),
  )


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
  parser.add_argument("--rounds", type=int, default=4)
  parser.add_argument("--to", default="docs/speed.md")
  options = parser.parse_args()
  lines = []
  for line in page(options.rounds):
    print(line, flush=True)
    lines.append(line)
  text = "\n".join(lines) + "\n"
  pathlib.Path(options.to).write_text(text, encoding="utf-8")


if __name__ == "__main__":
  main()
