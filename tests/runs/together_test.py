"""Runs that take their steps together leave what each leaves alone."""

import dataclasses
import signal
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from tiny import metrics, pretrain, result_of, states, stop_at

from lm_jax.config.optimizer import OptimizerOptions
from lm_jax.runs import run, session, together
from lm_jax.runs.attempt import Outcome
from lm_jax.training import seed_batch

DONE, INTERRUPTED = Outcome("done"), Outcome("interrupted")
# Names in a result that are of the machine, the place or the time.
_OWN = {"digest", "wall_seconds", "machines", "ledger", "begins", "name"}
# It is stable at step 4 of 12, where a branch of 5 begins.
BRANCHED = {
  "budget": "steps:12",
  "branches": "steps:5",
  "optimizer": OptimizerOptions(schedule="wsd", warmup=0.1, decay=0.2),
}


def seeds(tiny, folder, count=3, **changes):
  return [
    tiny.config(folder / f"seed{n}", seed=n, name=f"seed{n}", **changes)
    for n in range(count)
  ]


def execute(configs):
  assert together.can_run_together(configs)
  runs = [run.Run(config) for config in configs]
  return together.execute_together(runs, progress=False)


def elsewhere(config, folder):
  return dataclasses.replace(config, workdir=str(folder / config.name))


def branch_of(config, name):
  place = Path(config.workdir, "branches", name)
  return dataclasses.replace(config, workdir=str(place))


def close(ours, alone, tolerance=1e-5):
  """Compares trees of numbers; all else must be equal."""
  assert jax.tree.structure(ours) == jax.tree.structure(alone)

  def compare(x, y):
    if isinstance(y, str):
      assert x == y
    else:
      np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)

  jax.tree.map(compare, ours, alone)


def assert_same_run(config, alone):
  """Compares all that two runs have left."""
  ours, expected = states(config), states(alone)
  assert ours.keys() == expected.keys()
  for step, state in expected.items():
    close(ours[step], state)
  first, second = result_of(config), result_of(alone)
  for name in ("tokens", "targets", "flops", "steps", "epochs"):
    assert first["ledger"][name] == second["ledger"][name]
  numbers = [
    {k: v for k, v in result.items() if k not in _OWN}
    for result in (first, second)
  ]
  close(*numbers, tolerance=1e-3)
  timeless = [
    [line | {"seconds": 0} for line in metrics(c.workdir)]
    for c in (config, alone)
  ]
  close(*timeless, tolerance=1e-3)
  places = [Path(c.workdir) for c in (config, alone)]
  paths = [
    {
      path.relative_to(place)
      for path in place.rglob("*")
      if "events" not in path.parts and "checkpoints" not in path.parts
    }
    for place in places
  ]
  assert paths[0] == paths[1]


def test_each_run_leaves_what_it_leaves_alone(tiny, tmp_path):
  """Its evaluations, checkpoints and branches among it."""
  begin = time.monotonic()
  configs = seeds(tiny, tmp_path / "together", 2, **BRANCHED)
  assert execute(configs) == [DONE] * 2
  whole = time.monotonic() - begin
  for config in configs:
    alone = elsewhere(config, tmp_path)
    pretrain(alone)
    assert_same_run(config, alone)
    both = (branch_of(one, "steps-5") for one in (config, alone))
    assert_same_run(*both)
    (entry,) = result_of(config)["machines"]
    assert entry["together"] == 2
    assert "together" not in result_of(alone)["machines"][0]
  # Steps that are taken together are shared among the runs.
  assert 0 < sum(result_of(c)["wall_seconds"] for c in configs) < whole


def test_steps_are_taken_together(tiny, tmp_path, monkeypatch):
  sizes = []
  step = seed_batch.SeedBatch.step

  def note(self, requests):
    sizes.append(len(requests))
    return step(self, requests)

  monkeypatch.setattr(seed_batch.SeedBatch, "step", note)
  assert execute(seeds(tiny, tmp_path, eval="none")) == [DONE] * 3
  assert sizes == [3] * 6


def test_interrupted_runs_save_and_go_on_to_the_same_bits(
  tiny, tmp_path, monkeypatch
):
  whole = seeds(tiny, tmp_path / "whole", eval="none")
  assert execute(whole) == [DONE] * 3
  cut = seeds(tiny, tmp_path / "cut", eval="none", checkpoint_every=0)
  with monkeypatch.context() as patch:
    stop_at(patch, [3])
    assert execute(cut) == [INTERRUPTED] * 3
  (step,) = {max(states(config)) for config in cut}
  assert step in (3, 4)
  assert execute(cut) == [DONE] * 3
  for one, other in zip(cut, whole, strict=True):
    assert result_of(one)["digest"] == result_of(other)["digest"]


def test_runs_at_different_steps_go_on_together(tiny, tmp_path, monkeypatch):
  """One was killed after its checkpoint, another before, one is done."""
  configs = seeds(tiny, tmp_path / "cut", 4, eval="none")
  alone = [elsewhere(config, tmp_path) for config in configs]
  for config in alone:
    pretrain(config)
  with monkeypatch.context() as patch:
    stop_at(patch, [2])
    assert pretrain(configs[1])["status"] == "interrupted"
  pretrain(configs[3])
  assert execute(configs) == [DONE] * 4
  for config, other in zip(configs, alone, strict=True):
    last = max(states(other))
    close(states(config)[last], states(other)[last])


def test_a_run_that_fails_leaves_the_others_alone(tiny, tmp_path, monkeypatch):
  configs = seeds(tiny, tmp_path, eval="none")
  write = session.checkpoint.Checkpoints.save

  def save(self, step, *args, **kwargs):
    if "seed1" in str(self.directory) and step == 4:
      raise ValueError("a bad disk")
    return write(self, step, *args, **kwargs)

  monkeypatch.setattr(session.checkpoint.Checkpoints, "save", save)
  error = "ValueError: a bad disk"
  assert execute(configs) == [DONE, Outcome("failed", error), DONE]
  assert result_of(configs[1])["error"] == error
  assert {result_of(c)["step"] for c in configs[::2]} == {6}


def test_a_step_that_fails_ends_all(tiny, tmp_path, monkeypatch):
  def step(self, requests):
    raise RuntimeError("RESOURCE_EXHAUSTED")

  monkeypatch.setattr(seed_batch.SeedBatch, "step", step)
  outcomes = execute(seeds(tiny, tmp_path, eval="none"))
  error = "RuntimeError: RESOURCE_EXHAUSTED"
  assert outcomes == [Outcome("failed", error)] * 3


def test_a_second_interruption_ends_all_at_once(tiny, tmp_path, monkeypatch):
  configs = seeds(tiny, tmp_path, eval="none", checkpoint_every=0)
  step = seed_batch.SeedBatch.step

  def twice(self, requests):
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)
    return step(self, requests)

  monkeypatch.setattr(seed_batch.SeedBatch, "step", twice)
  assert execute(configs) == [INTERRUPTED] * 3
  assert not any(states_of(config) for config in configs)
  monkeypatch.undo()
  # No directory is held any more.
  assert execute(configs) == [DONE] * 3


def states_of(config):
  place = Path(config.workdir, "checkpoints")
  return [path for path in place.iterdir() if path.name.isdigit()]


@pytest.mark.parametrize(
  "changes",
  [
    {"budget": "seconds:5"},
    {"curriculum": "0.5:16"},
    {"phases": "mlm:0.5,clm:0.5"},
    {"adapt": {"method": "lora"}},
    {"task": "sst2"},
  ],
)
def test_what_is_not_one_program_of_a_known_length_runs_alone(tiny, changes):
  configs = seeds(tiny, Path("runs"), 2)
  assert together.can_run_together(configs)
  assert not together.can_run_together(configs[:1])
  changed = [dataclasses.replace(config, **changes) for config in configs]
  assert not together.can_run_together(changed)
  # Nor do runs that differ in more than their seeds.
  other = dataclasses.replace(configs[1], length=64)
  assert not together.can_run_together([configs[0], other])


def test_counted_budgets_end_each_run_at_its_own_step(tiny, tmp_path):
  changes = {"budget": "targets:700", "eval": "none", "checkpoint_every": 0}
  configs = seeds(tiny, tmp_path / "together", **changes)
  assert execute(configs) == [DONE] * 3
  for config in configs:
    alone = elsewhere(config, tmp_path)
    pretrain(alone)
    assert result_of(config)["step"] == result_of(alone)["step"]
    assert result_of(config)["ledger"]["targets"] >= 700
    last = max(states(alone))
    close(states(config)[last], states(alone)[last])
