"""Tuning: the same trials for every arm, exact in number, seeds apart."""

import dataclasses
import json
import pathlib

import pytest

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.runs import attempt, tuning
from lm_jax.runs.experiment_flags import ExperimentFlags
from lm_jax.support.errors import UsageError

RATE = "optimizer.learning_rate:log:1e-4:1e-2"


def _flags(*tune, **others):
  given = frozenset({"tune", *others})
  return ExperimentFlags(tune=tune or (RATE,), given=given, **others)


ARMS = [
  Config(objective="clm", arm="clm", size="nano", length=32),
  Config(objective="mlm", arm="mlm", size="nano", length=32),
]


def _make(tmp_path, *tune, arms=ARMS, **others):
  return tuning.Tuning.make(_flags(*tune, **others), arms, str(tmp_path))


class Trials:
  """Ends trials with a loss by `loss`; counts them."""

  def __init__(self, loss, stop=None):
    self.loss, self.stop, self.names = loss, stop, []

  def __call__(self, runs):
    statuses = {}
    for run in runs:
      config = run.config
      path = pathlib.Path(config.workdir)
      if attempt.is_complete(config):
        statuses[config.name] = attempt.status_of(config)
        continue
      if self.stop is not None and len(self.names) >= self.stop:
        return statuses | {config.name: "interrupted"}
      self.names.append(config.name)
      path.mkdir(parents=True, exist_ok=True)
      text = config_lib.to_json(config_lib.resolve(config))
      (path / "config.json").write_text(text)
      loss = self.loss(config)
      end = "paused" if config.stop_at < 1 else "done"
      result = {
        "status": end if loss is not None else "diverged",
        "stop_at": config.stop_at,
        "metrics": {} if loss is None else {"validation_loss": loss},
        "ledger": {"flops": 100},
      }
      (path / "result.json").write_text(json.dumps(result))
      statuses[config.name] = result["status"]
    return statuses


def _off(best):
  """A loss that is least at a learning rate."""
  return lambda config: abs(config.optimizer.learning_rate / best - 1)


def test_every_arm_tries_the_same_points(tmp_path):
  search = _make(tmp_path, trials=4, studies=2)
  one, other = (
    [(t.study, t.number, t.values) for t in search.trials(arm)]
    for arm in ("clm", "mlm")
  )
  assert one == other
  assert len(one) == 8
  assert len({json.dumps(values) for *_, values in one}) == 8


def test_an_arm_without_an_option_keeps_the_others(tmp_path):
  both = _make(tmp_path, RATE, "objective.rate:linear:0.1:0.5", trials=3)
  plain = [t.values["optimizer.learning_rate"] for t in both.trials("clm")]
  assert plain == [
    t.values["optimizer.learning_rate"] for t in both.trials("mlm")
  ]
  assert "objective.rate" not in both.trials("clm")[0].values
  # A rate changes what mlm's own loss measures.
  assert both.measure("clm") == "validation_loss"
  assert both.measure("mlm") == "validation_pairs"
  kinds = {arm: both.trials(arm)[0].config.eval for arm in ("clm", "mlm")}
  assert kinds == {"clm": "loss", "mlm": "validation"}


def test_seeds_of_tuning_are_not_those_of_the_comparison(tmp_path):
  arms = [dataclasses.replace(a, seed=7, seeds={"order": 3}) for a in ARMS]
  search = _make(tmp_path, arms=arms, trials=2, studies=3)
  search.carry_out(Trials(_off(1e-3)))
  configs = [trial.config for trial in search.trials("clm")]
  assert {c.seed for c in configs} == {7, 8, 9}
  assert {c.seeds["order"] for c in configs} == {3, 4, 5}
  for arm in search.chosen():
    assert (arm.seed, arm.seeds["order"]) == (10, 6)


def test_the_best_setting_of_the_median_study_is_compared(tmp_path):
  search = _make(tmp_path)
  losses = {"clm": _off(1e-3), "mlm": _off(3e-3)}
  trials = Trials(lambda config: losses[config.arm](config))
  search.carry_out(trials)
  assert len(trials.names) == 2 * 3 * 5
  for arm in search.chosen():
    best = sorted(
      min(
        (losses[arm.arm](t.config), t.values["optimizer.learning_rate"])
        for t in search.trials(arm.arm)
        if t.study == study
      )
      for study in range(3)
    )
    assert str(f"{arm.optimizer.learning_rate:.4g}") == best[1][1]
  kept = search.as_object()
  assert kept["arms"]["clm"]["flops"] == 15 * 100
  assert kept["arms"]["clm"]["boundary"] == []
  assert len(kept["arms"]["mlm"]["trials"]) == 15


def test_an_optimum_outside_is_a_boundary(tmp_path):
  search = _make(tmp_path)
  search.carry_out(Trials(_off(1.0)))
  kept = search.as_object()["arms"]["clm"]
  assert kept["boundary"] == ["optimizer.learning_rate"]


@pytest.mark.parametrize("stop", [0, 1, 7, 11])
def test_killed_and_started_again_the_trials_are_exact(tmp_path, stop):
  first = Trials(_off(1e-3), stop)
  search = _make(tmp_path, trials=3, studies=2)
  statuses = search.carry_out(first)
  assert "interrupted" in statuses.values()
  assert not search.is_complete
  second = Trials(_off(1e-3))
  again = _make(tmp_path, trials=3, studies=2)
  again.carry_out(second)
  assert again.is_complete
  assert len(first.names) == stop
  assert sorted(first.names + second.names) == sorted(
    trial.config.name for arm in ("clm", "mlm") for trial in again.trials(arm)
  )
  third = Trials(_off(1e-3))
  again.carry_out(third)
  assert third.names == []


def test_trials_that_diverge_lose(tmp_path):
  search = _make(tmp_path, trials=4, studies=1)
  rates = sorted(t.config.optimizer.learning_rate for t in search.trials("clm"))
  search.carry_out(
    Trials(lambda c: None if c.optimizer.learning_rate > rates[1] else 1.0)
  )
  assert all(a.optimizer.learning_rate <= rates[1] for a in search.chosen())
  statuses = [t["status"] for t in search.as_object()["arms"]["clm"]["trials"]]
  assert statuses.count("diverged") == 2


def test_the_worse_half_of_a_study_stops_at_a_rung(tmp_path):
  search = _make(tmp_path, trials=5, studies=2, rungs=(0.25, 0.5))
  trials = Trials(_off(1e-3))
  search.carry_out(trials)
  # Of five trials three go on, and of these two, in each study of each arm.
  assert len(trials.names) == 4 * (5 + 3 + 2)
  losses = {
    (t.study, t.number): _off(1e-3)(t.config) for t in search.trials("mlm")
  }
  for study in range(2):
    own = [t for t in search.trials("mlm") if t.study == study]
    whole = {t.number for t in own if attempt.status_of(t.config) == "done"}
    ranked = sorted(own, key=lambda t: losses[t.study, t.number])
    assert whole == {t.number for t in ranked[:2]}
  assert search.is_complete
  plain = _make(tmp_path / "plain", trials=5, studies=2)
  plain.carry_out(Trials(_off(1e-3)))
  rates = [
    [arm.optimizer.learning_rate for arm in one.chosen()]
    for one in (search, plain)
  ]
  assert rates[0] == rates[1]


@pytest.mark.parametrize("stop", [3, 21, 34])
def test_rungs_go_on_where_they_were_stopped(tmp_path, stop):
  flags = {"trials": 5, "studies": 2, "rungs": (0.25, 0.5)}
  first, second = Trials(_off(1e-3), stop), Trials(_off(1e-3))
  _make(tmp_path, **flags).carry_out(first)
  again = _make(tmp_path, **flags)
  again.carry_out(second)
  assert again.is_complete
  assert len(first.names) + len(second.names) == 4 * (5 + 3 + 2)


def test_an_arm_none_of_whose_trials_ends_is_named(tmp_path):
  search = _make(tmp_path, trials=2, studies=1)
  search.carry_out(Trials(lambda config: None))
  with pytest.raises(UsageError, match="no trial of clm has a result"):
    search.chosen()


@pytest.mark.parametrize(
  ("flags", "message"),
  [
    ({"tune": ("objective.generator:linear:0.2:0.5",)}, "none of the arms"),
    ({"tune": (RATE,), "rungs": (0.5, 0.25)}, "must rise"),
    ({"tune": (RATE,), "rungs": (0.5,), "sampler": "tpe"}, "no trials side by"),
    ({"trials": 3, "given": frozenset({"trials"})}, "--trials=3: is of --tune"),
  ],
)
def test_what_cannot_be_is_refused_first(tmp_path, flags, message):
  given = flags.pop("given", frozenset({"tune"}))
  with pytest.raises(UsageError, match=message):
    tuning.Tuning.make(
      ExperimentFlags(**flags, given=given), ARMS, str(tmp_path)
    )
  assert not list(tmp_path.iterdir())


def test_an_adaptive_sampler_is_a_function_of_what_it_knows(tmp_path):
  pytest.importorskip("optuna")
  search = _make(tmp_path, trials=4, studies=2, sampler="tpe")
  assert len(search.trials("clm")) == 2  # the first of each study
  trials = Trials(_off(1e-3), stop=5)
  search.carry_out(trials)
  again = _make(tmp_path, trials=4, studies=2, sampler="tpe")
  second = Trials(_off(1e-3))
  again.carry_out(second)
  assert len(trials.names) + len(second.names) == 2 * 2 * 4
  assert again.is_complete


@pytest.mark.parametrize(
  ("tune", "arms", "message"),
  [
    # The values of trials were given by no one: the range was.
    (
      "objective.rate:linear:0.1:2",
      ARMS,
      "^--tune=objective.rate:linear:0.1:2: --objective.rate=",
    ),
    # What is wrong without trials is no fault of the range.
    (
      RATE,
      [dataclasses.replace(ARMS[0], trunk={"heads": 3})],
      "^--trunk.heads=3",
    ),
  ],
)
def test_a_wrong_trial_names_the_range(tmp_path, tune, arms, message):
  with pytest.raises(UsageError, match=message):
    _make(tmp_path, tune, arms=arms)


def test_a_flag_of_tuning_is_quoted_as_it_was_given(tmp_path):
  flags = ExperimentFlags(rungs=(0.25, 0.5), given=frozenset({"rungs"}))
  with pytest.raises(UsageError, match=r"^--rungs=0\.25,0\.5: is of --tune"):
    tuning.Tuning.make(flags, ARMS, str(tmp_path))


def test_an_arm_may_join_those_that_are_tuned(tmp_path):
  """What is tuned keeps its choice; what was run untuned is refused."""
  before = _make(tmp_path, trials=2, studies=1)
  before.carry_out(Trials(lambda config: config.optimizer.learning_rate))
  assert before.is_complete
  third = Config(objective="clm", arm="third", size="nano", length=64)
  both = _make(tmp_path, arms=[*ARMS, third], trials=2, studies=1)
  assert [both.has_choice(arm) for arm in both.arms] == [True, True, False]
  rates = [c.optimizer.learning_rate for c in both.chosen()]
  assert rates[:2] == [c.optimizer.learning_rate for c in before.chosen()]
  assert rates[2] == third.optimizer.learning_rate
  runs = [
    dataclasses.replace(c, name=c.arm, workdir=str(tmp_path / "runs" / c.arm))
    for c in both.chosen()
  ]
  for run in runs:
    both.require_first(runs)
    pathlib.Path(run.workdir).mkdir(parents=True)
    pathlib.Path(run.workdir, "config.json").write_text("{}")
  with pytest.raises(UsageError, match="third, which was run before third"):
    both.require_first(runs)
