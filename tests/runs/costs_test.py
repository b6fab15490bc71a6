"""What a plan says before anything is run."""

import dataclasses
import json
import pathlib

import pytest
from tiny import without_yardsticks

from lm_jax import config as config_lib
from lm_jax.report import blocks
from lm_jax.runs import comparison, costs, pilot
from lm_jax.runs.experiment_flags import ExperimentFlags
from lm_jax.support.errors import UsageError


@pytest.fixture
def planned(tiny, tmp_path, monkeypatch):
  """Makes an experiment of two arms; its steps are timed by no clock."""
  without_yardsticks(monkeypatch)
  monkeypatch.setattr(pilot, "_seconds", lambda config, part: 0.5)
  counted = []
  measure = pilot.measure
  monkeypatch.setattr(
    pilot, "measure", lambda config: counted.append(config) or measure(config)
  )

  def make(*sweep, **more):
    texts = {"budget": ["steps:20"], "size": ["nano"], "branches": [""]}
    texts |= {
      "data.corpus": [str(tiny.corpus)],
      "data.cache": [str(tiny.cache)],
      "data.vocabulary_size": ["400"],
      "length": ["32"],
      "batch_size": ["4"],
    }
    flags = ExperimentFlags(
      objectives=("clm", "mlm"),
      sweep=sweep,
      seeds="3",
      workdir=str(tmp_path / "e"),
      settings=texts,
      given=frozenset({"objectives", *more}),
      **more,
    )
    return comparison.make(flags, "compare", progress=False)

  make.counted, make.folder = counted, tmp_path / "e"
  return make


def test_runs_steps_and_time_add_up(planned):
  prepared = planned()
  table = costs.of_arms(prepared)
  assert [(c.arm, c.runs, c.left) for c in table] == [
    ("clm", 3, 3),
    ("mlm", 3, 3),
  ]
  assert all(c.one.steps == 20 for c in table)
  text = blocks.plain(costs.report(prepared, "h100")).replace("\n", " ")
  assert "6 runs are to be made: about 60 s of training" in text
  assert "On one h100 at least" in text
  assert not planned.folder.exists()


def test_a_checkpoint_is_parameters_and_two_moments(planned):
  (clm, _) = costs.of_arms(planned())
  # AdamW, float32; counters and the key are a few bytes.
  assert clm.disk == pytest.approx(3 * 4 * clm.one.parameters, abs=200)


def test_arms_of_one_shape_are_timed_once(planned):
  prepared = planned("optimizer.learning_rate=1e-3,3e-3")
  assert len(costs.of_arms(prepared)) == 4
  assert len(planned.counted) == 2


def test_tuning_is_part_of_the_plan(planned):
  tune = ("optimizer.learning_rate:log:1e-4:1e-2",)
  prepared = planned(tune=tune, trials=2, studies=2)
  assert [c.trials for c in costs.of_arms(prepared)] == [4, 4]
  text = blocks.plain(costs.report(prepared))
  assert "Tuning comes first: 8 trials" in text


def test_trials_that_a_rung_has_stopped_are_not_to_come(planned):
  prepared = planned(
    tune=("optimizer.learning_rate:log:1e-4:1e-2",),
    **{"trials": 2, "studies": 1, "rungs": (0.5,)},
  )
  left = []
  for _ in range(3):
    table = costs.of_arms(prepared)
    left.append([cost.trials for cost in table])
    for number, trial in enumerate(prepared.tuning.due(["clm"])):
      folder = pathlib.Path(trial.workdir)
      folder.mkdir(parents=True, exist_ok=True)
      (folder / "config.json").write_text(config_lib.to_json(trial))
      result = {
        "status": "paused" if trial.stop_at < 1 else "done",
        "stop_at": trial.stop_at,
        "metrics": {"validation_loss": 1 + number},
      }
      (folder / "result.json").write_text(json.dumps(result))
  assert left == [[2, 2], [1, 2], [0, 2]]
  text = " ".join(blocks.plain(costs.report(prepared)).split())
  assert "Tuning comes first: 2 trials, at most" in text


def test_an_effect_needs_a_spread(planned):
  prepared = planned()
  with pytest.raises(UsageError, match="run a pilot there"):
    costs.report(prepared, effect=1.0)
  parts = costs.report(prepared, effect=1.0, spread=1.5)
  assert "seeds to exclude it" in blocks.plain(parts)
  with pytest.raises(UsageError, match="--chip=h10"):
    costs.report(dataclasses.replace(prepared), "h10")
