import pytest

from lm_jax.config import Config
from lm_jax.errors import UsageError
from lm_jax.sweep import grid


def test_parse_splits_values_and_honours_quotes():
  assert grid.parse(["a.b=1e-3,3e-3", 'trunk.windows="256,0",0']) == {
    "a.b": ["1e-3", "3e-3"],
    "trunk.windows": ["256,0", "0"],
  }


@pytest.mark.parametrize(
  "sweeps",
  [["a"], ["a="], ["=1"], ["a=1,,2"], [""], ["a=1,1"], ["a=1", "a=2"]],
)
def test_parse_refuses(sweeps):
  with pytest.raises(UsageError, match=r"--sweep="):
    grid.parse(sweeps)


def test_cross_is_the_product_with_seeds_innermost():
  arms = [Config(objective="mlm"), Config(objective="rtd", arm="electra")]
  sweeps = {
    "optimizer.learning_rate": ["1e-3", "3e-3"],
    "objective.rate": ["0.15", "0.3"],
  }
  runs = grid.cross(arms, sweeps, 2)
  assert len(runs) == 2 * 2 * 2 * 2
  assert [run.name for run in runs[:3]] == [
    "mlm-learning_rate=1e-3-rate=0.15-seed0",
    "mlm-learning_rate=1e-3-rate=0.15-seed1",
    "mlm-learning_rate=1e-3-rate=0.3-seed0",
  ]
  assert len({run.name for run in runs}) == 16
  assert len({run.arm for run in runs}) == 8
  last = runs[-1]
  assert (last.objective, last.seed) == ("rtd", 1)
  assert last.arm == "electra-learning_rate=3e-3-rate=0.3"
  assert last.optimizer.learning_rate == 3e-3
  assert last.objective_options == {"rate": 0.3}


def test_seeds_start_at_the_arm_s_own():
  runs = grid.cross([Config(seed=5)], {}, 2)
  assert [run.name for run in runs] == ["clm-seed5", "clm-seed6"]
  with pytest.raises(UsageError, match="--seeds=-1"):
    grid.cross([Config()], {}, -1)


def test_names_are_fit_for_files_and_unique():
  runs = grid.cross([Config()], {"data.corpus": ["/a b/*.txt", "wiki/x"]}, 1)
  assert [run.name for run in runs] == [
    "clm-corpus=_a_b_.txt-seed0",
    "clm-corpus=wiki_x-seed0",
  ]
  with pytest.raises(UsageError, match="two runs would both be called"):
    grid.cross([Config()], {"data.corpus": ["a b", "a/b"]}, 1)
  assert grid.safe("../x") == "_x"


def test_paths_that_end_alike_are_told_apart():
  sweeps = {"name.x": 0, "other.x": 0, "size": 0}
  assert grid._labels(sweeps) == {
    "name.x": "name.x",
    "other.x": "other.x",
    "size": "size",
  }


def test_what_cannot_be_swept():
  for path in ("workdir", "name", "arm", "seed"):
    with pytest.raises(UsageError, match="can't be swept"):
      grid.cross([Config()], {path: ["1"]}, 1)
  with pytest.raises(UsageError, match="clm has no such option"):
    grid.cross([Config()], {"objective.rate": ["0.1"]}, 1)
