"""A corpus and runs so small that a run takes a second once compiled."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import xla_flags
from flax import linen as nn

from lm_jax.config import Config
from lm_jax.data import rows as rows_lib
from lm_jax.data.options import DataOptions
from lm_jax.inference import load
from lm_jax.runs import run, yardstick
from lm_jax.storage import checkpoint
from lm_jax.tasks.base import Measure
from lm_jax.training import assemble
from lm_jax.training.plan import parameter_shapes

DOCUMENTS, SENTENCES, WORDS = 48, 8, 6
# Short, so that a sentence of bytes fits a row of 32; with plurals and verbs,
# so that there are minimal pairs of every kind.
VOCABULARY = "the of to in my we law laws act acts is are was citizens"


def write_corpus(folder: Path) -> None:
  rng = np.random.default_rng(0)
  for number in range(DOCUMENTS):
    lines = [
      " ".join(rng.choice(VOCABULARY.split(), WORDS)).capitalize() + "."
      for _ in range(SENTENCES)
    ]
    (folder / f"{number:02}.txt").write_text(" ".join(lines))


class Tiny:
  """Configurations of runs on one corpus with one private data cache.

  Compiled programs are those that are kept from suite to suite.
  """

  def __init__(self, folder: Path):
    self.corpus, self.cache = folder / "corpus", folder / "cache"
    self.corpus.mkdir()
    self.cache.mkdir()
    write_corpus(self.corpus)
    (self.cache / "xla").symlink_to(xla_flags.KEPT)
    self._models = {}

  def data(self, **changes) -> DataOptions:
    options = {
      "corpus": str(self.corpus),
      "tokenizer": "bytes",
      "sentinels": 5,
      "cache": str(self.cache),
    }
    return DataOptions(**(options | changes))

  def config(self, workdir="", **changes) -> Config:
    options = {
      "size": "nano",
      "trunk": {"layers": 1, "width": 32, "heads": 2, "feedforward": 64},
      "length": 32,
      "batch_size": 4,
      "budget": "steps:6",
      "log_every": 1,
      "eval_every": 3,
      "checkpoint_every": 2,
      "data": self.data(),
      "workdir": str(workdir),
    }
    return Config(**(options | changes))

  def model(self, objective="clm", spread=1.5, **changes) -> load.Trained:
    """An untrained model of a configuration, far from uniform."""
    key = objective, spread, repr(changes)
    if key not in self._models:
      config = self.config(objective=objective, **changes)
      tokenizer = rows_lib.load(config.data, config.length).tokenizer
      plan = assemble.make_plan(config, tokenizer)
      rng = np.random.default_rng(1)

      def draw(path, leaf):
        name = jax.tree_util.keystr(path, simple=True)
        if leaf.ndim == 1 and name.endswith(("bias", "scale")):
          return jnp.full(leaf.shape, float(name.endswith("scale")))
        noise = rng.normal(0, spread / leaf.shape[-1] ** 0.5, leaf.shape)
        return jnp.array(noise, leaf.dtype)

      shapes = nn.meta.unbox(parameter_shapes(plan))
      params = jax.tree_util.tree_map_with_path(draw, shapes)
      self._models[key] = load.from_plan(config, tokenizer, plan, params)
    return self._models[key]


def without_yardsticks(monkeypatch):
  """Runs end without the measurements that come last."""
  nothing = Measure({}, {})
  monkeypatch.setattr(yardstick.measuring, "evaluate", lambda *_, **__: nothing)


def stop_at(monkeypatch, stops):
  """Asks for an end once at each step, while its batch is read."""
  batch, left = rows_lib.Dataset.batch, set(stops)

  def batches(self, seed, batch_size, start=0, **_):
    for step in range(start, 100):
      if step in left:
        left.remove(step)
        signal.raise_signal(signal.SIGTERM)
      yield batch(self, seed, step, batch_size)

  monkeypatch.setattr(rows_lib.Dataset, "batches", batches)


def pretrain(config):
  return run.Run(config).execute(progress=False)


def files(directory):
  """The bytes of a run's files, by path."""
  return {
    str(path): path.read_bytes()
    for path in sorted(Path(directory).rglob("*"))
    if path.is_file() and path.name != "lock"
  }


def metrics(directory):
  """The lines of metrics.jsonl, which must be strict JSON."""
  text = Path(directory, "metrics.jsonl").read_text()

  def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")

  return [json.loads(s, parse_constant=refuse) for s in text.splitlines()]


def result_of(config):
  return json.loads(Path(config.workdir, "result.json").read_text())


def states(config):
  """The state of each checkpoint of a run, by step."""
  tokenizer = load.load(config.workdir).tokenizer
  program = assemble.make_program(config, tokenizer)
  place = Path(config.workdir, "checkpoints")
  steps = sorted(int(p.name) for p in place.iterdir() if p.name.isdigit())
  with checkpoint.Checkpoints(place, read_only=True) as checkpoints:
    return {
      step: checkpoints.restore(program.abstract_state(), step)[0]
      for step in steps
    }
