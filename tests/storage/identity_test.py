import dataclasses
import json
import types

import pytest

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.config.optimizer import OptimizerOptions
from lm_jax.data.options import DataOptions
from lm_jax.models import sizes
from lm_jax.storage import identity
from lm_jax.support.errors import UsageError

OLD = Config(objective="mlm", workdir="a", log_every=1)
# Said or left to the default: the same run.
SAME = Config(
  objective="mlm",
  architecture="encoder",
  objective_options={"rate": 0.15},
  trunk={"width": sizes.SIZES["tiny"].width},
  workdir="b",
  name="x",
  keep_last=5,
  allow_change=("seed",),
  data=DataOptions(cache="/elsewhere"),
)
OTHER = dataclasses.replace(
  SAME, seed=1, objective_options={"rate": 0.3}, budget="steps:5"
)


def _said(changes):
  return list(map(str, changes))


def test_changes():
  assert identity.changes(OLD, SAME) == []
  assert _said(identity.changes(OLD, OTHER)) == [
    "seed: 0 -> 1",
    "budget: flops:3000000000000 -> steps:5",
    "objective.rate: 0.15 -> 0.3",
  ]
  assert "objective.rate: 0.15 -> (none)" in _said(
    identity.changes(OLD, Config())
  )


def test_the_fingerprint_is_that_of_what_is_compared():
  assert identity.fingerprint(OLD) == identity.fingerprint(SAME)
  assert identity.fingerprint(OLD) != identity.fingerprint(OTHER)


def _as_before(config):
  """The configuration of a run that began before --optimizer.rate_at."""
  tree = json.loads(config_lib.to_json(config_lib.resolve(config)))
  del tree["optimizer"]["rate_at"]
  return config_lib.from_json(json.dumps(tree))


def test_a_run_of_before_an_option_goes_on_without_it():
  tuned = dataclasses.replace(OLD, objective="classify", task="sst2")
  assert config_lib.resolve(tuned).optimizer.rate_at == "start"
  old = _as_before(tuned)
  assert old.optimizer.rate_at == "end"
  assert identity.changes(old, identity.adopted(tuned, old)) == []
  # Its result.json has the fingerprint of what there was to compare.
  flat = config_lib.flat(old)
  assert flat.pop("optimizer.rate_at") == "end"
  assert "optimizer.rate_at" not in identity._identity(old)
  new = identity.adopted(tuned, config_lib.resolve(tuned))
  assert identity.fingerprint(new) != identity.fingerprint(old)
  # What is asked for is not passed over.
  optimizer = OptimizerOptions(rate_at="start")
  given = dataclasses.replace(tuned, optimizer=optimizer)
  assert _said(identity.changes(old, identity.adopted(given, old))) == [
    "optimizer.rate_at: (none) -> start"
  ]


def test_pretraining_reads_the_schedule_as_before_unless_it_ends_at_0():
  assert config_lib.resolve(OLD).optimizer.rate_at == "end"
  assert identity.fingerprint(_as_before(OLD)) == identity.fingerprint(OLD)
  to_0 = dataclasses.replace(OLD, optimizer=OptimizerOptions(final=0.0))
  assert config_lib.resolve(to_0).optimizer.rate_at == "start"


def _data(corpus="c", tokenizer="t", rows="r"):
  return types.SimpleNamespace(
    fingerprint=rows,
    corpus=types.SimpleNamespace(fingerprint=corpus),
    tokenizer=types.SimpleNamespace(fingerprint=tokenizer),
  )


@pytest.mark.parametrize(
  ("data", "config", "expected"),
  [
    (_data(), OLD, []),
    (_data(corpus="d", rows="s"), OLD, ["data.corpus"]),
    (_data("d", "u", "s"), OLD, ["data.corpus", "data.tokenizer"]),
    # The rows alone: they were packed by another version.
    (_data(rows="s"), OLD, ["data.packing"]),
    (_data(rows="s"), dataclasses.replace(OLD, length=64), ["length"]),
    (
      _data("d", "t", "s"),
      dataclasses.replace(OLD, data=DataOptions(corpus="x")),
      ["data.corpus"],
    ),
  ],
)
def test_what_no_flag_shows(data, config, expected):
  stamped = identity.stamp(OLD, _data())
  found = identity.changes_since(stamped, config, data, "checkpoint 3")
  assert [change.path for change in found] == expected


def test_an_option_newer_than_the_checkpoint_had_its_default():
  stamped = identity.stamp(OLD, _data())
  del stamped["config"]["skip_limit"]
  assert identity.changes_since(stamped, OLD, _data(), "checkpoint 3") == []


@pytest.mark.parametrize(
  ("names", "left"),
  [
    ((), ["seed", "budget", "objective.rate", "optimizer.clip"]),
    (("seed", "objective.rate"), ["budget", "optimizer.clip"]),
    (("objective", "optimizer"), ["seed", "budget"]),
    (
      ("objective.r", "optim", "see"),
      ["seed", "budget", "objective.rate", "optimizer.clip"],
    ),
  ],
)
def test_a_name_allows_itself_and_its_group(names, left):
  other = dataclasses.replace(OTHER, optimizer=OptimizerOptions(clip=2.0))
  found = identity.refused(identity.changes(OLD, other), names)
  assert sorted(change.path for change in found) == sorted(left)


def test_names_are_checked():
  for names in (("data",), ("trunk.width", "objective"), ("data.corpus",)):
    identity.check_names(dataclasses.replace(OLD, allow_change=names))
  for name in ("sede", "workdir", "size", "", "objective.mean_span"):
    with pytest.raises(UsageError, match=f"--allow_change={name}: unknown"):
      identity.check_names(dataclasses.replace(OLD, allow_change=(name,)))
