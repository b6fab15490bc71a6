"""Which runs take their steps together, and how that is asked for."""

import dataclasses
import json
import math

import jax
import pytest
from fake_runs import FakeRuns
from tiny import result_of

from lm_jax.runs import execute, grouping, pilot, run
from lm_jax.runs.launchers.base import Batch
from lm_jax.runs.launchers.local import Local
from lm_jax.support import machine
from lm_jax.support.errors import UsageError


@pytest.fixture
def configs(tiny, tmp_path):
  """Five seeds of one arm, and between them one of another."""
  made = [
    tiny.config(tmp_path / f"a{n}", seed=n, name=f"a{n}", arm="a")
    for n in range(5)
  ]
  other = tiny.config(tmp_path / "b", name="b", arm="b", length=64)
  return [*made[:2], other, *made[2:]]


@pytest.fixture
def divided(configs, tmp_path):
  """A function that divides their runs: the names of each group."""

  def divide(most, given=configs):
    runs = list(map(FakeRuns().run, given))
    batch = Batch(str(tmp_path), runs, 1, machine.threads(), False)
    groups = grouping.groups(batch, most)
    return [[one.config.name for one in group] for group in groups]

  return divide


@pytest.fixture
def timed(monkeypatch):
  """Sets what a timing says, on a device that is no CPU; counts them."""

  def time(alone, together):
    sizes = []

    def pilot_says(config, size):
      sizes.append((config.arm, size))
      return alone, together

    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(pilot, "alone_and_together", pilot_says)
    return sizes

  return time


SINGLE = [["a0"], ["a1"], ["b"], ["a2"], ["a3"], ["a4"]]


def test_a_number_divides_the_seeds_of_each_arm(divided):
  assert divided(2) == [["a0", "a1"], ["a2", "a3"], ["a4"], ["b"]]
  assert divided(16) == [["a0", "a1", "a2", "a3", "a4"], ["b"]]
  assert divided(1) == SINGLE


def test_a_cpu_has_none_unless_they_are_asked_for(divided, monkeypatch):
  monkeypatch.setattr(pilot, "alone_and_together", None)
  assert divided(0) == SINGLE


def test_runs_are_together_where_a_timing_says_so(divided, timed, tmp_path):
  sizes = timed(alone=2e-3, together=1e-3)
  groups = [["a0", "a1", "a2", "a3", "a4"], ["b"]]
  assert divided(0) == groups
  assert sizes == [("a", 5)]
  # The same command has the same groups, whatever a clock says by then.
  again = timed(alone=1e-3, together=2e-3)
  assert divided(0) == groups
  assert again == []
  (kept,) = json.loads((tmp_path / grouping.FILE).read_text()).values()
  assert (kept["alone"], kept["together"], kept["size"]) == (2e-3, 1e-3, 5)


@pytest.mark.parametrize("together", [1e-3, 0.95e-3, math.inf])
def test_runs_are_alone_where_that_is_as_fast(divided, timed, together):
  timed(1e-3, together)
  expected = [[name] for name in ("a0", "a1", "a2", "a3", "a4", "b")]
  assert divided(0) == expected


def test_what_does_not_fit_runs_alone(divided, configs):
  timed = [
    dataclasses.replace(config, budget="seconds:1") for config in configs
  ]
  assert len(divided(4, timed)) == len(configs)


def test_a_pilot_times_both_ways(tiny, tmp_path, monkeypatch):
  monkeypatch.setattr(pilot, "_MOST", 6)
  config = tiny.config(tmp_path)
  alone, together = pilot.alone_and_together(config, 2)
  assert 0 < alone < 10
  assert 0 < together < 10

  def full(self, requests):
    raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: 9 GiB")

  monkeypatch.setattr(pilot.SeedBatch, "step", full)
  assert pilot.alone_and_together(config, 2)[1] == math.inf


def test_the_launcher_carries_groups_out(tiny, tmp_path, capsys):
  configs = [
    tiny.config(tmp_path / f"a{n}", seed=n, name=f"a{n}", arm="a", eval="none")
    for n in range(3)
  ]
  statuses = execute.execute(
    [run.Run(config) for config in configs],
    launcher=Local(together="2"),
    directory=str(tmp_path),
    parallel=0,
  )
  assert statuses == {"a0": "done", "a1": "done", "a2": "done"}
  sizes = [result_of(c)["machines"][0].get("together") for c in configs]
  assert sizes == [2, 2, None]
  lines = capsys.readouterr().err.splitlines()
  assert "a0, a1: together" in lines
  assert [line[:8] for line in lines if line.startswith("[")] == [
    "[1/3] a0",
    "[2/3] a1",
    "[3/3] a2",
  ]


@pytest.mark.parametrize("text", ["", "1", "0", "-2", "on", "2.5"])
def test_what_the_flag_may_be(text):
  with pytest.raises(UsageError, match=f"--local.together={text}: must be"):
    Local(together=text)


def test_groups_are_of_one_process(tmp_path):
  batch = Batch(str(tmp_path), [], 2, machine.threads(), False)
  with pytest.raises(UsageError, match="--parallel=2"):
    Local(together="4").check(batch)
