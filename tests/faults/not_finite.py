"""NaN or Inf in the loss, or in its gradient alone.

An objective of this folder gives them for some batches, known from the tokens;
so it is known of each step what must become of it.
"""

from __future__ import annotations

import dataclasses
import pathlib
import random
import sys

import numpy as np

from lm_jax.data import rows as rows_lib
from lm_jax.runs import run, session
from lm_jax.storage.checkpoint import Checkpoints
from lm_jax.storage.digest import digest

from . import launching, runs

HOLDS = (
  "the update is skipped and counted, after N in a row exit 3; no state that "
  "is not finite is ever saved; the best checkpoint stays"
)
SHORT, LONG = 2, 50
STEPS, INTERVAL = 12, 4
_HERE = str(pathlib.Path(__file__).parent / "objectives")
_MODULUS = 8  # of objectives/poisoned.py


class Shared:
  """The objective can be named until it is closed.

  free: residues that no batch of the validation has; so it is always finite.
  """

  def __init__(self, folder: pathlib.Path):
    from lm_jax import objectives

    objectives.__path__.append(_HERE)
    corpus = launching.write_corpus(folder / "corpus")
    command = launching.train_command(
      folder,
      corpus,
      "poisoned",
      STEPS,
      eval_every=INTERVAL,
      checkpoint_every=INTERVAL,
    )
    self.config = launching.config_of(command)
    self.dataset = rows_lib.load(self.config.data, self.config.length)
    size = self.config.batch_size
    limit = session.VALIDATION_BATCHES * size
    taken = {
      _residue(rows)
      for rows in self.dataset.fixed("validation", size, limit_rows=limit)
    }
    self.free = tuple(x for x in range(_MODULUS) if x not in taken)
    assert len(self.free) >= 2, "the validation takes up all residues"

  def close(self) -> None:
    from lm_jax import objectives

    objectives.__path__.remove(_HERE)
    sys.modules.pop("lm_jax.objectives.poisoned", None)


def setup(folder):
  return Shared(folder)


def trial(seed, folder, shared):
  rng = random.Random(seed)
  # Few of the steps are bad, or most; as many kinds as compile soon.
  residues = rng.choice((shared.free[:1], shared.free))
  keep_all = rng.random() < 0.5
  config = dataclasses.replace(
    shared.config,
    objective_options={
      "kind": rng.choice(("nan", "inf")),
      "where": rng.choice(("loss", "gradient")),
      "residues": residues,
    },
    seed=rng.randrange(1000),
    skip_limit=rng.randint(1, 5),
    checkpoint_every=1 if keep_all else INTERVAL,
    keep_last=STEPS if keep_all else 1,
    workdir=str(folder / "run"),
  )
  bad = [
    _residue(shared.dataset.batch(config.seed, step, config.batch_size))
    in residues
    for step in range(STEPS)
  ]
  result = run.Run(config).execute(progress=False)
  end = _end(bad, config.skip_limit)
  assert result["status"] == ("done" if end is None else "diverged"), result
  if end is not None:
    assert result["step"] in (end, end + 1), (result["step"], end)
    assert f"(--skip_limit={config.skip_limit})" in result["error"]
  assert result["skipped"] == sum(bad[: result["step"]])
  for line in launching.metrics(folder / "run"):
    if "loss" in line:
      step = line["step"]
      assert line["skipped"] == sum(bad[:step])
      spoilt = line["loss"] is None or line["grad_norm"] is None
      assert spoilt == bad[step - 1], line
  _check_checkpoints(folder / "run", bad, config.skip_limit, keep_all)


def _residue(rows):
  return int(np.sum(rows.tokens_BxL)) % _MODULUS


def _end(bad, limit):
  """The step with which so many in a row were bad, or None."""
  in_a_row = 0
  for step, is_bad in enumerate(bad, 1):
    in_a_row = in_a_row + 1 if is_bad else 0
    if in_a_row == limit:
      return step
  return None


def _check_checkpoints(workdir, bad, limit, keep_all):
  end = _end(bad, limit) or STEPS + 1
  steps = runs.checkpoints(workdir)
  digests = {}
  if steps:
    with Checkpoints(workdir / "checkpoints", read_only=True) as reader:
      for step in steps:
        state, _ = runs.restored(reader, step)
        for name, leaf in state.items():
          assert np.isfinite(leaf).all(), f"{name} of {step} is not finite"
        digests[step] = digest(
          {k: v for k, v in state.items() if k.startswith(("params", "opt"))}
        )
  if keep_all:
    assert steps == list(range(1, min(STEPS, end - 1) + 1)), steps
    for step in steps[1:]:
      changed = digests[step] != digests[step - 1]
      assert changed != bad[step - 1], f"step {step}: changed is {changed}"
    return
  # The last that was saved, and of those the best.
  last = (min(STEPS, end - 1)) // INTERVAL * INTERVAL
  losses = {
    line["step"]: line["validation_loss"]
    for line in launching.metrics(workdir)
    if "validation_loss" in line and line["step"] <= last
  }
  best = {min(losses, key=losses.__getitem__)} if losses else set()
  assert set(steps) == best | ({last} if last else set()), (steps, losses)
