"""Models with learned positions go on with rows of another length."""

import dataclasses
import json

import numpy as np
import pytest
from tiny import pretrain, without_yardsticks

from lm_jax import config as config_lib
from lm_jax.data import rows as rows_lib
from lm_jax.inference import continued, load, score
from lm_jax.inference import continued as continued_lib
from lm_jax.models import sizes
from lm_jax.storage import identity
from lm_jax.storage.digest import flatten
from lm_jax.support.errors import UsageError
from lm_jax.training import assemble

LEARNED = [n for n, x in sizes.PRESETS.items() if x.positions == "learned"]
# What each is trained by here, and how many positions rows of 32 take then.
OBJECTIVES = {
  "bert": ("mlm_nsp", 34),
  "roberta": ("mlm", 32),
  "albert": ("mlm_sop", 34),
  "gpt2": ("clm", 32),
  "electra": ("rtd", 32),
  "bart": ("denoising", 32),
}
SHAPE = {"layers": 1, "width": 32, "heads": 2, "feedforward": 64}


def base(tiny, folder, preset, **changes):
  """The directory of a run on rows of 32, without a checkpoint."""
  objective, _ = OBJECTIVES[preset]
  pairs = objective in ("mlm_nsp", "mlm_sop")
  own = {"sharing": (0,)} if preset == "albert" else {}
  config = tiny.config(
    folder / preset,
    objective=objective,
    architecture="encoder_decoder" if preset == "bart" else "",
    trunk={"preset": preset, **SHAPE, **own},
    data=tiny.data(packing="document" if pairs else "packed"),
    **changes,
  )
  dataset = rows_lib.load(config.data, config.length)
  directory = folder / preset
  directory.mkdir()
  text = config_lib.to_json(config_lib.resolve(config))
  (directory / "config.json").write_text(text)
  for name, content in dataset.tokenizer.files().items():
    (directory / name).write_text(content)
  return str(directory), dataset.tokenizer


def onward(directory, **changes):
  return dataclasses.replace(continued_lib.continued(directory, ()), **changes)


def test_every_preset_is_here():
  assert set(LEARNED) == set(OBJECTIVES)


@pytest.mark.parametrize("preset", LEARNED)
def test_shorter_works_and_longer_says_what_it_does(tiny, tmp_path, preset):
  directory, tokenizer = base(tiny, tmp_path, preset)
  rows = OBJECTIVES[preset][1]
  shorter = onward(directory, length=16)
  continued.check(shorter)
  assert shorter.trunk["max_positions"] == rows
  longer = onward(directory, length=40)
  with pytest.raises(UsageError) as error:
    continued.check(longer)
  said = str(error.value)
  assert "--length=40: its streams take" in said and "\n" not in said
  assert "--length=32 would fit and --positions=interpolate makes" in said
  longer = dataclasses.replace(longer, positions="interpolate")
  continued.check(longer)
  program = assemble.make_program(longer, tokenizer)
  trunk = dict(program.plan.network.trunks)["main"]
  assert trunk.max_positions == rows + 8
  # A run on that one has as many.
  again = continued_lib.with_positions(longer, tokenizer)
  assert again.trunk["max_positions"] == rows + 8


def test_another_objective_may_need_shorter_rows(tiny, tmp_path):
  """And what was trained on pairs has positions for what it had them for."""
  directory, _ = base(tiny, tmp_path, "roberta")
  pairs = onward(directory, objective="mlm_nsp", objective_options={})
  pairs = dataclasses.replace(pairs, data=tiny.data(packing="document"))
  with pytest.raises(UsageError, match="--length=30 would fit"):
    continued.check(pairs)
  continued.check(dataclasses.replace(pairs, length=30))


@pytest.mark.parametrize("preset", ["bert", "roberta", "gpt2"])
def test_candidates_share_a_row_that_is_longer_than_the_table(
  tiny, tmp_path, preset
):
  directory, tokenizer = base(tiny, tmp_path, preset)
  rows = OBJECTIVES[preset][1]
  config = onward(
    directory,
    objective="multiple_choice",
    objective_options={"choices": 4},
    task="race",
    length=4 * rows + 3,
  )
  continued.check(config)
  program = assemble.make_program(config, tokenizer)
  model = load.from_plan(config, tokenizer, program.plan, None)
  assert dict(model.network.trunks)["main"].max_positions == rows
  # A text by itself has no more positions than there are.
  assert model.text_length == rows
  assert score.Scorer(model).spec.length == rows
  longer = dataclasses.replace(config, length=4 * rows + 9)
  with pytest.raises(UsageError) as error:
    continued.check(longer)
  said = str(error.value)
  assert f"--length={4 * rows + 9}: its streams take {rows + 2}" in said
  assert f"--length={4 * rows + 1} would fit" in said
  continued.check(dataclasses.replace(config, length=4 * rows + 1))
  continued.check(dataclasses.replace(longer, positions="interpolate"))


@pytest.mark.parametrize(("old", "new", "offset"), [
  (32, 48, 0), (34, 40, 2), (2, 7, 1), (1, 4, 0), (512, 513, 0),
])  # fmt: skip
def test_interpolation_is_numpys(old, new, offset):
  rng = np.random.default_rng(0)
  table = rng.normal(size=(old + offset, 5)).astype(np.float32)
  found = continued._interpolated(table, new + offset, offset)
  assert found.dtype == np.float32 and found.shape == (new + offset, 5)
  at = np.linspace(0, old - 1, new)
  for column in range(5):
    expected = np.interp(at, np.arange(old), table[offset:, column])
    np.testing.assert_allclose(found[offset:, column], expected, atol=1e-6)
  np.testing.assert_array_equal(found[: offset + 1], table[: offset + 1])
  np.testing.assert_array_equal(found[-1], table[-1])


def test_a_run_goes_on_with_longer_rows(tiny, tmp_path, monkeypatch):
  """Its first step begins from the model, with the table stretched."""
  without_yardsticks(monkeypatch)
  trunk = {"preset": "roberta"} | SHAPE
  first = tiny.config(
    tmp_path / "a", objective="mlm", trunk=trunk, budget="steps:1"
  )
  assert pretrain(first)["status"] == "done"
  longer = onward(
    first.workdir,
    length=48,
    workdir=str(tmp_path / "b"),
    positions="interpolate",
  )
  dataset = rows_lib.load(longer.data, 48)
  program = assemble.make_program(longer, dataset)
  params = flatten(continued.params_for(longer, dataset.tokenizer, program))
  old = flatten(load.load(first.workdir).params)
  name = "embedder_main.position_embedding"
  assert old[name].shape == (33, 32) and params[name].shape == (49, 32)
  expected = continued._interpolated(old[name], 49, 1)
  np.testing.assert_array_equal(params.pop(name), expected)
  for each, leaf in params.items():
    np.testing.assert_array_equal(leaf, old[each])


@pytest.mark.parametrize(("changes", "said"), [
  ({"model": ""}, "--positions=interpolate: needs --model"),
  ({"adapt": {"method": "lora"}}, "not with --adapt.method=lora"),
])  # fmt: skip
def test_what_has_nothing_to_interpolate_is_refused(tiny, changes, said):
  config = tiny.config("", objective="mlm", positions="interpolate", model="x")
  with pytest.raises(UsageError, match=said):
    config_lib.build(dataclasses.replace(config, **changes))


def test_a_run_from_before_goes_on(tiny, tmp_path):
  """Its config.json does not say how many positions the model has."""
  directory, _ = base(tiny, tmp_path, "bert")
  new = onward(directory, workdir=str(tmp_path / "run"))
  assert new.trunk["max_positions"] == 34
  tree = json.loads(config_lib.to_json(config_lib.resolve(new)))
  del tree["trunk"]["max_positions"], tree["positions"]
  old = config_lib.from_json(json.dumps(tree))
  adopted = identity.adopted(new, old)
  assert identity.changes(old, adopted) == []
