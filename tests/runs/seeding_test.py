import dataclasses

import jax
import numpy as np
import pytest
from tiny import pretrain

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.data import rows as rows_lib
from lm_jax.runs import grid, seeding, sweeps
from lm_jax.support.errors import UsageError
from lm_jax.training import assemble


def cells(text, config=Config()):  # noqa: B008
  runs = grid.cross([config], {}, text)
  return {run.name: config_lib.seeds_of(run) for run in runs}


def test_kinds_of_seeds_are_crossed_and_the_others_held():
  found = cells("parameters:2,order:3", Config(seed=4))
  assert list(found) == [
    f"clm-parameters{p}-order{o}" for p in (4, 5) for o in (4, 5, 6)
  ]
  assert {dataclasses.astuple(x) for x in found.values()} == {
    (p, o, 4) for p in (4, 5) for o in (4, 5, 6)
  }


def test_nested_seeds_are_no_other_s():
  found = cells("parameters:2/order:3")
  assert [(x.parameters, x.order) for x in found.values()] == [
    *((0, 0), (0, 1), (0, 2), (1, 3), (1, 4), (1, 5))
  ]


def test_a_crossed_factor_may_be_nested():
  found = cells("parameters:2/order:2,corruption:2")
  seeds = [dataclasses.astuple(x) for x in found.values()]
  assert len(set(seeds)) == 8
  assert {x[:2] for x in seeds} == {(0, 0), (0, 1), (1, 2), (1, 3)}


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("0", "must be a number of seeds"),
    ("3.5", "must be a number of seeds"),
    ("parameters", "must be a number of seeds"),
    ("parameters:", "must be a number of seeds"),
    ("parameters:0", "must be a number of seeds"),
    ("order:2,orders:2", "--seeds=orders: unknown; did you mean order"),
    ("order:2,order:2", "order twice"),
    ("order:2/order:2", "order twice"),
    ("parameters:1000,order:1000", "1000000 runs an arm; at most 10000"),
  ],
)
def test_seeds_that_are_none(text, message):
  with pytest.raises(UsageError, match=message):
    seeding.parse(text)


def test_a_seed_of_a_kind_cannot_be_swept():
  with pytest.raises(UsageError, match="--sweep=seed.order: can't be swept"):
    grid.cross([Config()], sweeps.parse(["seed.order=1,2"]), 1)


def test_a_seed_that_is_not_below_the_others_is_left_out_of_the_record():
  same = Config(seed=3, seeds={"order": 3})
  assert config_lib.flat(same) == config_lib.flat(Config(seed=3))
  other = config_lib.resolve(Config(seed=3, seeds={"order": 4}))
  assert config_lib.flat(other)["seed.order"] == 4
  text = config_lib.to_json(other)
  assert config_lib.from_json(text) == other
  with pytest.raises(UsageError, match="--seed.order=-1: must be at least 0"):
    config_lib.build(Config(seeds={"order": -1}))


def test_each_seed_drives_its_own_kind(tiny, tmp_path):
  """All three are a run of that --seed; one alone changes its own kind."""
  other = pretrain(tiny.config(tmp_path / "a", seed=3))["digest"]
  kinds = {"parameters": 3, "order": 3, "corruption": 3}
  apart = tiny.config(tmp_path / "b", seeds=kinds)
  assert pretrain(apart)["digest"] == other
  config = tiny.config(objective="mlm", architecture="encoder")
  dataset = rows_lib.load(config.data, config.length)
  program = assemble.make_program(config, dataset)
  states = {
    (p, c): program.initial(np.uint32(p), np.uint32(c))
    for p in (0, 1)
    for c in (0, 1)
  }
  for p, c in states:
    plain = program.initial(np.uint32(p))
    jax.tree.map(
      np.testing.assert_array_equal, plain.params, states[p, c].params
    )
    plain = program.initial(np.uint32(c))
    np.testing.assert_array_equal(plain.key, states[p, c].key)
  digests = {
    kind: pretrain(tiny.config(tmp_path / kind, seeds={kind: 1}))["digest"]
    for kind in ("parameters", "order")
  }
  plain = pretrain(tiny.config(tmp_path / "plain"))["digest"]
  assert len({plain, other, *digests.values()}) == 4
