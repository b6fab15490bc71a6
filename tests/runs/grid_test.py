import pytest

from experiments import compare_objectives, masking_rate
from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.runs import grid, sweeps
from lm_jax.support.errors import UsageError

# Span corruption by each architecture that it knows.
ARCHITECTURES = [
  Config(objective="span_corruption", architecture=name, arm=name)
  for name in ("prefix_decoder", "causal_decoder", "encoder_decoder")
]


def test_cross_is_the_product_with_seeds_innermost():
  arms = [Config(objective="mlm"), Config(objective="rtd", arm="electra")]
  texts = ["optimizer.learning_rate=1e-3,3e-3", "objective.rate=0.15,0.3"]
  runs = grid.cross(arms, sweeps.parse(texts), 2)
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
  corpora = sweeps.parse(["data.corpus=/a b/*.txt,wiki/x"])
  runs = grid.cross([Config()], corpora, 1)
  assert [run.name for run in runs] == [
    "clm-corpus=_a_b_.txt-seed0",
    "clm-corpus=wiki_x-seed0",
  ]
  runs = grid.cross([Config()], sweeps.parse(["data.corpus=诗词,评论"]), 1)
  assert [run.name for run in runs] == [
    "clm-corpus=诗词-seed0",
    "clm-corpus=评论-seed0",
  ]
  # What would be one name ends in hashes.
  runs = grid.cross([Config()], sweeps.parse(["data.corpus=a b,a/b"]), 1)
  one, other = [run.arm for run in runs]
  assert one != other
  assert one.startswith("clm-corpus=a_b-")
  assert other.startswith("clm-corpus=a_b-")


def test_paths_that_end_alike_are_told_apart():
  paths = {"name.x": 0, "other.x": 0, "size": 0}
  assert grid._labels(paths) == {
    "name.x": "name.x",
    "other.x": "other.x",
    "size": "size",
  }


def test_what_cannot_be_swept():
  for path in ("workdir", "name", "arm", "seed"):
    with pytest.raises(UsageError, match="can't be swept"):
      grid.cross([Config()], sweeps.parse([f"{path}=1"]), 1)


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("objective.rate=0.1", "^--sweep=objective.rate: .*clm has no such option"),
    ("clm/objective.rate=0.1", "^--sweep=clm/objective.rate: --objective.rate"),
    ("optimizer.learning_rate=a", "^--sweep=.*=a: must be a finite number"),
    ("size+batch_size=nano+0", r"^--sweep=size\+batch_size: --batch_size=0: "),
    ("optimizer.lr=1", "^--sweep=optimizer.lr: unknown. optimizer has: "),
    ("xyz=1", "^--sweep=xyz: unknown; `train --help` lists"),
  ],
)
def test_a_wrong_value_names_the_sweep(text, message):
  with pytest.raises(UsageError, match=message):
    grid.cross([Config()], sweeps.parse([text], ["clm"]), 1)


def test_a_wrong_setting_of_all_arms_is_no_fault_of_a_sweep():
  swept = sweeps.parse(["optimizer.learning_rate=1e-3"])
  with pytest.raises(UsageError, match="^--batch_size=0: "):
    grid.cross([Config()], swept, 1, {"batch_size": "0"})


def _arms(arms, texts=(), **common):
  common = {path.replace("_", ".", 1): text for path, text in common.items()}
  runs = grid.cross(arms, sweeps.parse(texts), 1, common)
  return {run.arm: config_lib.build(run).trunk for run in runs}


def _sizes(trunk):
  return trunk.layers, trunk.width, trunk.initializer_range


@pytest.mark.parametrize("experiment", [compare_objectives, masking_rate])
@pytest.mark.parametrize("size", ["nano", "tiny", "base"])
def test_a_size_is_what_runs(experiment, size):
  own = config_lib.build(Config(size=size)).trunk
  for trunk in _arms(experiment.runs(), size=size).values():
    assert _sizes(trunk) == _sizes(own)
  swept = _arms(experiment.runs(), [f"size={size}"])
  assert {_sizes(trunk) for trunk in swept.values()} == {_sizes(own)}


def test_a_preset_is_what_runs_and_flags_win_over_both():
  runs = compare_objectives.runs()
  for trunk in _arms(runs, trunk_preset="bert").values():
    assert _sizes(trunk) == (12, 768, 0.02)
    assert (trunk.norm_placement, trunk.token_types) == ("post", 2)
  found = _arms(runs, ["size=nano,tiny"], trunk_layers="5")
  assert {trunk.layers for trunk in found.values()} == {5}
  assert {trunk.width for trunk in found.values()} == {64, 128}


def test_arms_keep_what_they_differ_in():
  arms = [
    Config(arm=norm, trunk={"norm": norm, "layers": 3})
    for norm in ("layernorm", "rmsnorm")
  ]
  found = _arms(arms, size="nano")
  assert {name: trunk.norm for name, trunk in found.items()} == {
    "layernorm": "layernorm",
    "rmsnorm": "rmsnorm",
  }
  assert {trunk.layers for trunk in found.values()} == {2}


def test_equal_configurations_are_one_run():
  # Of one learning rate; others would be other runs.
  runs = compare_objectives.runs(("clm", "prefix_lm", "mlm"))
  assert list(_arms(runs, ["objective=mlm,clm"])) == ["mlm", "clm"]
  rates = ["objective.rate=0.15,0.3"]
  assert list(_arms(masking_rate.runs(), rates)) == ["rate=0.15", "rate=0.3"]
  # Two arms have no encoder.
  layers = ["trunk.encoder_layers=2,4"]
  assert list(_arms(ARCHITECTURES, layers)) == [
    "prefix_decoder",
    "causal_decoder",
    "encoder_decoder-encoder_layers=2",
    "encoder_decoder-encoder_layers=4",
  ]
  both = ["optimizer.name=adamw,muon", "optimizer.momentum=0.9,0.95"]
  assert list(_arms([Config()], both)) == [
    "clm-name=adamw",
    "clm-name=muon-momentum=0.9",
    "clm-name=muon-momentum=0.95",
  ]


@pytest.mark.parametrize(
  ("arms", "texts", "common", "message"),
  [
    (
      masking_rate.runs(),
      [],
      {"objective_rate": "0.3"},
      "--objective.rate=0.3",
    ),
    (
      ARCHITECTURES,
      [],
      {"architecture": "encoder_decoder"},
      "prefix_decoder, causal_decoder, encoder_decoder would be one",
    ),
    ([Config(arm="a"), Config(arm="b")], [], {}, "the arms a, b would be one"),
    ([Config(arm="a"), Config(arm="b", seed=1)], [], {}, "arms a, b would be"),
    ([Config()], ["optimizer.learning_rate=1e-3,0.001"], {}, "twice"),
    ([Config()], ["optimizer.momentum=0.9,0.95"], {}, "changes nothing"),
    ([Config()], ["trunk.kv_heads=0,4"], {}, "changes nothing"),
    ([Config()], ["size=nano"], {"size": "tiny"}, "--size=tiny: --sweep=size"),
  ],
  ids=range(8),
)
def test_the_same_under_two_names_is_refused(arms, texts, common, message):
  with pytest.raises(UsageError, match=message):
    _arms(arms, texts, **common)


def test_what_trains_differently_is_another_run():
  arms = [Config()]
  for sweep in (
    "trunk.dropout=0,0.1",
    "trunk.initializer_range=0.02,0.05",
    "optimizer.weight_decay=0,0.1",
    "budget=steps:3,steps:4",
    "data.vocabulary_size=1000,2000",
  ):
    assert len(_arms(arms, [sweep])) == 2, sweep


LEARNING_RATE = "optimizer.learning_rate"
TWO = [Config(objective="mlm"), Config(objective="clm")]


def _crossed(arms, *texts, **common):
  return grid.crossed(arms, sweeps.parse(texts, grid.names_of(arms)), 1, common)


def test_a_range_has_short_names():
  crossed = _crossed([Config()], f"{LEARNING_RATE}=1e-4:1e-2:log:3")
  assert [run.name for run in crossed.runs] == [
    f"clm-learning_rate={rate}-seed0" for rate in ("0.0001", "0.001", "0.01")
  ]
  # What is run is what the name says.
  rates = [run.optimizer.learning_rate for run in crossed.runs]
  assert rates == [1e-4, 1e-3, 1e-2]


def test_linked_options_move_together():
  crossed = _crossed(TWO, f"size+{LEARNING_RATE}=nano+4e-3,tiny+1e-3")
  assert [run.arm for run in crossed.runs] == [
    f"{objective}-size={size}-learning_rate={rate}"
    for objective in ("mlm", "clm")
    for size, rate in (("nano", "4e-3"), ("tiny", "1e-3"))
  ]
  run = crossed.runs[1]
  assert (run.size, run.optimizer.learning_rate) == ("tiny", 1e-3)
  assert crossed.planned == 4
  assert crossed.places[run.arm].values == {
    "size": "tiny",
    LEARNING_RATE: "1e-3",
  }


def test_values_of_one_arm_cross_that_arm_alone():
  crossed = _crossed(TWO, "mlm/objective.rate=0.15,0.4", "trunk.layers=1,2")
  assert [run.arm for run in crossed.runs] == [
    "mlm-layers=1-rate=0.15",
    "mlm-layers=1-rate=0.4",
    "mlm-layers=2-rate=0.15",
    "mlm-layers=2-rate=0.4",
    "clm-layers=1",
    "clm-layers=2",
  ]
  assert crossed.places["mlm-layers=2-rate=0.4"].values == {
    "trunk.layers": "2",
    "objective.rate": "0.4",
  }
  assert crossed.places["clm-layers=1"].values == {"trunk.layers": "1"}


def test_values_of_one_arm_replace_those_of_all():
  crossed = _crossed(
    TWO, f"{LEARNING_RATE}=1e-3,3e-3", f"clm/{LEARNING_RATE}=1e-2"
  )
  assert [run.arm for run in crossed.runs] == [
    "mlm-learning_rate=1e-3",
    "mlm-learning_rate=3e-3",
    "clm-learning_rate=1e-2",
  ]
  alone = _crossed(TWO, f"mlm/{LEARNING_RATE}=2e-3,3e-3")
  # The other one's own value stands beside these in a figure.
  assert alone.places["clm"].values == {LEARNING_RATE: "0.001"}
  assert alone.places["mlm-learning_rate=2e-3"].arm == "mlm"
  with pytest.raises(UsageError, match="--sweep=rtd/.*: arm=rtd: unknown"):
    grid.cross(TWO, [sweeps.Sweep(("size",), (("nano",),), "rtd")], 1)


def test_a_run_that_several_values_make_has_none_of_them():
  layers = "trunk.encoder_layers"
  crossed = _crossed(ARCHITECTURES, f"{layers}=2,4")
  assert crossed.places["prefix_decoder"].values == {}
  assert crossed.places["encoder_decoder-encoder_layers=4"].values == {
    layers: "4"
  }
  assert crossed.planned == 6
