import pytest

from lm_jax import config as config_lib
from lm_jax import experiments
from lm_jax.runs import grid

NAMES = experiments.names()


def test_the_default_experiment_has_its_arms():
  compare_objectives = experiments.load("compare_objectives")
  arms = [config.objective for config in compare_objectives.runs()]
  assert " ".join(arms) == "clm prefix_lm mlm permutation_lm"
  assert compare_objectives.BASELINE == "clm"
  assert compare_objectives.SEEDS == 5
  assert len({config.budget for config in compare_objectives.runs()}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_tells_how_dear_it_is_and_what_to_expect(name):
  text = experiments.load(name).__doc__
  assert text.partition("\n")[0].endswith("?")
  assert "\nCommand: python launch.py" in text
  assert "\nCost: " in text
  assert "\nExpected: " in text
  if name != "compare_objectives":
    assert f"--experiment={name}\n" in text


@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_s_runs_can_be_built(name):
  found = experiments.load(name)
  runs = grid.cross(found.runs(), {}, found.SEEDS)
  assert found.BASELINE in {config.arm for config in runs}
  assert all(config.workdir == "" for config in runs)
  for config in runs:
    config_lib.build(config)
