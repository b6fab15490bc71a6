"""Preparing a corpus against `encode_batch` of the library tokenizers alone.

    python -m benchmarks.prepare                      # 48 MB, 3 minutes
    python -m benchmarks.prepare --megabytes=1000 --rounds=1
    python -m benchmarks.prepare --corpus='books/*.jsonl.gz'

Ours is the whole way from files to cached shards of rows, with the tokenizer
trained before: reading and hashing the files, holding out documents, TFDS,
tokenizing with words, sentences and bytes, packing, writing. "from TFDS" leaves
out what comes before TFDS has its copy. Theirs is `Tokenizer.encode_batch`
of the same texts, in memory and a thousand at once, on all cores. They take
turns, each in a process of its own. Memory is what all processes of ours have
resident, pages that they share counted once (PSS), the library's rows in the
page cache not.

Without --corpus the text is the embedded corpus, again and again, each message
under a number of its own.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import Any

from benchmarks import peers

LENGTH = 128


def write_corpus(path: pathlib.Path, megabytes: float) -> None:
  """Writes JSON lines of the embedded corpus, as often as it takes."""
  from lm_jax.data import sotu

  messages = sotu.read()
  written = number = 0
  with path.open("w", encoding="utf-8") as file:
    while written < megabytes * 1e6:
      text = f"{number}. {messages[number % len(messages)]['text']}"
      file.write(json.dumps({"text": text}) + "\n")
      written += len(text)
      number += 1


def make_ours(corpus: str, tokenizer: str, cache: str, warm: bool) -> Any:
  """Facts and a step: a preparation into an empty cache, or one with TFDS."""
  from lm_jax.data import rows
  from lm_jax.data.options import DataOptions

  options = DataOptions(corpus=corpus, tokenizer=tokenizer)

  def step() -> None:
    shutil.rmtree(pathlib.Path(cache, "rows"), ignore_errors=True)
    if not warm:
      shutil.rmtree(cache, ignore_errors=True)
    rows.load(dataclasses.replace(options, cache=cache), LENGTH)

  if warm:
    step()
  return {}, step


def make_theirs(corpus: str, tokenizer: str) -> Any:
  """Facts and a step: encode_batch of all texts."""
  import tokenizers

  from lm_jax.data import formats

  built = tokenizers.Tokenizer.from_file(tokenizer)
  texts = [
    text for _, text in formats.read(formats.find(corpus), "text", "strict")
  ]

  def step() -> None:
    for first in range(0, len(texts), 1000):
      built.encode_batch(texts[first : first + 1000], add_special_tokens=False)

  return {"bytes": sum(len(text.encode()) for text in texts)}, step


def _family(pid: int) -> Iterator[int]:
  yield pid
  for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
    for child in (task / "children").read_text("utf-8").split():
      yield from _family(int(child))


def resident(pid: int) -> int:
  """Bytes resident of a process and its descendants, shared pages once."""
  total = 0
  for member in list(_family(pid)):
    text = pathlib.Path(f"/proc/{member}/smaps_rollup").read_text("utf-8")
    pss = next(line for line in text.splitlines() if line.startswith("Pss:"))
    total += 1024 * int(pss.split()[1])
  return total


class Peak(threading.Thread):
  """The most that a process and its descendants have resident."""

  def __init__(self, pid: int):
    super().__init__(daemon=True)
    self._pid = pid
    self._over = threading.Event()
    self.most = 0

  def run(self) -> None:
    while not self._over.wait(0.2):
      try:
        self.most = max(self.most, resident(self._pid))
      except OSError:
        continue  # A process ended while it was looked at.

  def stop(self) -> int:
    self._over.set()
    self.join()
    return self.most


def _train(corpus: str, cache: str) -> pathlib.Path:
  from lm_jax.data import corpus as corpora
  from lm_jax.data.open_tokenizer import load_tokenizer
  from lm_jax.data.options import DataOptions

  options = DataOptions(corpus=corpus, cache=cache)
  trained = load_tokenizer(options, corpora.open_corpus(options))
  folder = pathlib.Path(cache, "tokenizer")
  folder.mkdir()
  for name, content in trained.files().items():
    (folder / name).write_text(content, "utf-8")
  return folder / "tokenizer.json"


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
  parser.add_argument("--corpus", help="a file or glob of .txt or .jsonl")
  parser.add_argument("--megabytes", type=float, default=48)
  parser.add_argument("--rounds", type=int, default=3)
  options = parser.parse_args()
  with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary)
    corpus = options.corpus
    if not corpus:
      corpus = str(folder / "corpus.jsonl")
      write_corpus(folder / "corpus.jsonl", options.megabytes)
    tokenizer = str(_train(corpus, str(folder / "trained")))
    shutil.rmtree(folder / "trained" / "tfds")
    theirs = peers.Contestant(make_theirs, corpus, tokenizer)
    ours = {
      "from files": peers.Contestant(
        make_ours, corpus, tokenizer, str(folder / "cold"), False
      ),
      "from TFDS": peers.Contestant(
        make_ours, corpus, tokenizer, str(folder / "warm"), True
      ),
    }
    times: dict[str, list[float]] = {name: [] for name in ("theirs", *ours)}
    peak = 0
    for _ in range(options.rounds):
      time.sleep(0.5)
      times["theirs"] += theirs.run(1)
      for name, contestant in ours.items():
        memory = Peak(contestant.pid)
        memory.start()
        times[name] += contestant.run(1)
        peak = max(peak, memory.stop())
    for contestant in (theirs, *ours.values()):
      contestant.stop()
  size = theirs.facts["bytes"] / 1e6
  print(f"{size:.0f} MB of text, {options.rounds} rounds")
  middle = statistics.median(times["theirs"])
  for name, seconds in times.items():
    each = sorted(seconds)
    ratios = [a / b for a, b in zip(times["theirs"], seconds, strict=True)]
    label = "encode_batch" if name == "theirs" else f"lm_jax, {name}"
    median = statistics.median(seconds)
    print(
      f"{label:18} {median:6.1f} s ({each[0]:.1f} to {each[-1]:.1f}), "
      f"{size / median:.2f} MB/s, of encode_batch's speed "
      f"{middle / median:.0%} ({min(ratios):.0%} to {max(ratios):.0%})"
    )
  print(f"peak memory of ours, all processes: {peak / 2**20:.0f} MiB")


if __name__ == "__main__":
  main()
