"""Adapted runs: from the command line to what is saved and read again."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import foreign_directories
import numpy as np
import pytest
from tiny import pretrain, result_of

import lm_jax
from lm_jax import cli, loaded_model
from lm_jax import config as config_lib
from lm_jax.config import Config, overrides
from lm_jax.inference import continued, load
from lm_jax.runs import run, yardstick
from lm_jax.storage.digest import digest, flatten
from lm_jax.support.errors import UsageError
from lm_jax.tasks.base import Measure

LORA = {"method": "lora", "rank": 2, "targets": ("query", "value")}


@pytest.fixture(scope="module", autouse=True)
def _fast(cache):
  """Without the yardsticks that come last."""
  with pytest.MonkeyPatch.context() as patch:
    nothing = Measure({}, {})
    patch.setattr(yardstick.measuring, "evaluate", lambda *_, **__: nothing)
    yield


@pytest.fixture(scope="module")
def lora(finished, tmp_path_factory):
  """A run over the base `finished`: its configuration."""
  config = dataclasses.replace(
    finished,
    model=finished.workdir,
    workdir=str(tmp_path_factory.mktemp("lora")),
    adapt=LORA,
    budget="steps:4",
    optimizer=dataclasses.replace(finished.optimizer, learning_rate=0.05),
  )
  assert pretrain(config)["status"] == "done"
  return config


def _size(directory):
  return sum(
    x.stat().st_size for x in Path(directory).rglob("*") if x.is_file()
  )


def test_only_what_is_trained_is_saved(lora, finished):
  result, base = result_of(lora), result_of(finished)
  assert result["base"] == base["digest"]
  assert result["parameters"] == 2 * (32 * 2 + 2 * 32)
  read = config_lib.read(lora.workdir)
  assert read.model == str(Path(finished.workdir).absolute())
  assert read.adapt == {"alpha": 16.0, "dropout": 0.0, **LORA}
  small, large = (
    _size(Path(c.workdir, "checkpoints", step))
    for c, step in ((lora, "4"), (finished, "6"))
  )
  print(f"a checkpoint has {small} bytes, the base's {large}")
  # Orbax's own files are most of it, in models as small as these.
  assert small < large / 2
  model = load.load(lora.workdir)
  old = load.load(finished.workdir)
  leaves = flatten(model.params)
  for name, leaf in flatten(old.params).items():
    np.testing.assert_array_equal(leaves[name], leaf)
  assert digest(old.params) == base["digest"]
  assert model.base == base["digest"]


def test_the_model_that_is_read_is_the_one_that_was_trained(lora, finished):
  """Its own loss, on the text of the run."""
  lm, base = lm_jax.load(lora.workdir), lm_jax.load(finished.workdir)
  texts = ["We law the acts.", "The laws of my acts."]
  assert lm.score(texts).sum() > base.score(texts).sum()
  assert lm.generate(texts, max_new_tokens=3)


def test_a_run_cut_short_ends_in_the_same_bits(lora, tmp_path):
  config = dataclasses.replace(lora, workdir=str(tmp_path / "cut"))
  shutil.copytree(lora.workdir, config.workdir)
  Path(config.workdir, "result.json").unlink()
  shutil.rmtree(Path(config.workdir, "checkpoints", "4"))
  assert pretrain(config)["digest"] == result_of(lora)["digest"]
  # It goes on over the same model only.
  other = dataclasses.replace(config, adapt=LORA | {"rank": 3})
  with pytest.raises(UsageError, match=r"adapt\.rank: 2 -> 3"):
    run.Run(other)


def test_a_base_that_is_gone_or_another_is_refused(lora, tmp_path):
  base, out = tmp_path / "base", tmp_path / "adapted"
  shutil.copytree(lora.model, base)
  config = dataclasses.replace(lora, model=str(base), workdir=str(out))
  assert pretrain(config)["digest"] == result_of(lora)["digest"]
  assert load.load(str(out)).base == result_of(lora)["base"]
  # Of an earlier step, its parameters are others.
  shutil.rmtree(base / "checkpoints" / "6")
  pattern = f"{re.escape(str(out))}: adapts {re.escape(str(base))}"
  with pytest.raises(UsageError, match=f"{pattern}, whose .* no longer"):
    load.load(str(out))
  longer = dataclasses.replace(
    config, budget="steps:6", allow_change=("budget",)
  )
  with pytest.raises(UsageError, match="model: its parameters are others"):
    pretrain(longer)
  shutil.rmtree(base)
  with pytest.raises(UsageError, match=f"{pattern}, which can't be read"):
    load.load(str(out))


def test_what_is_adapted_is_not_adapted_again(lora, tmp_path, capsys):
  for flags in ((), ("--adapt.method=bitfit",)):
    code = cli.main(
      [
        *("train", f"--model={lora.workdir}", f"--workdir={tmp_path / 'x'}"),
        *flags,
      ]
    )
    assert code == 2
    assert "is itself adapted, by lora" in capsys.readouterr().err
  assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
  ("flags", "message"),
  [
    (["lora", "rank=0"], "--adapt.rank=0: must be at least 1"),
    (["lora", "dropout=1"], "--adapt.dropout=1: must be at least 0 and below"),
    (["lora", "alpha=0"], "--adapt.alpha=0: must be above 0"),
    (
      ["lora", "targets=query,valu"],
      "--adapt.targets=query,valu: the model has no valu; valid are query, key,"
      " value, out, up, down",
    ),
    (["lora", "targets=gate"], "the model has no gate"),
    (["lora", "tokens=3"], "--adapt.tokens=3: lora has no such option"),
    (["loru"], "--adapt.method=loru: unknown; did you mean lora?"),
    (["adapter", "parts=head"], "valid are attention, feedforward"),
    (["adapter", "size=0"], "--adapt.size=0: must be at least 1"),
    (
      ["soft_prompt", "--data.packing=packed"],
      "--data.packing=packed: --adapt.method=soft_prompt needs",
    ),
    (["soft_prompt", "init=text"], "--adapt.init=text: needs --adapt.text"),
    (["soft_prompt", "text=a"], "--adapt.text=a: is for --adapt.init=text"),
    (["soft_prompt", "tokens=0"], "--adapt.tokens=0: must be at least 1"),
    (["prefix_tuning", "hidden=0"], "--adapt.hidden=0: must be at least 1"),
    (["bitfit", "rank=3"], "bitfit has no such option. It has: none"),
  ],
)
def test_bad_input_is_refused(flags, message, finished, tmp_path, capsys):
  method, *options = flags
  code = cli.main(
    [
      *("train", f"--model={finished.workdir}", f"--workdir={tmp_path / 'x'}"),
      f"--adapt.method={method}",
      *(x if x.startswith("--") else f"--adapt.{x}" for x in options),
    ]
  )
  error = capsys.readouterr().err
  assert code == 2
  assert message in error
  assert error.count("\n") == 1
  assert not (tmp_path / "x").exists()


def test_an_adaptation_needs_a_model_and_a_method(capsys, tmp_path):
  workdir = f"--workdir={tmp_path / 'x'}"
  assert cli.main(["train", "--adapt.method=lora", workdir]) == 2
  assert "--adapt.method=lora: needs --model" in capsys.readouterr().err
  assert cli.main(["train", "--adapt.rank=4", workdir]) == 2
  assert "--adapt.rank=4: needs --adapt.method" in capsys.readouterr().err
  assert cli.main(["list", "adaptations"]) == 0
  assert "soft_prompt" in capsys.readouterr().out
  assert not (tmp_path / "x").exists()


def test_outputs_that_a_model_lacks_are_not_held_fixed(finished, tmp_path):
  """An untrained transform before the vocabulary would stay untrained."""
  base = dataclasses.replace(
    finished,
    objective="rtd",
    workdir=str(tmp_path),
    trunk=finished.trunk | {"output_transform": True},
  )
  shutil.copy(Path(finished.workdir, loaded_model.TOKENIZER), tmp_path)
  (tmp_path / "config.json").write_text(config_lib.to_json(base))
  config = dataclasses.replace(
    base, objective="mlm", model=str(tmp_path), adapt=LORA, workdir=""
  )
  with pytest.raises(UsageError, match=r"holds output_main\..* lacks"):
    continued.check(config)
  # What an objective has beside the stack is trained, new or not.
  continued.check(dataclasses.replace(config, objective="rtd"))


def test_a_soft_prompt_over_an_imported_model(tiny, tmp_path, capsys):
  """Rows shrink by the prompt, whose text is the user's; export refuses."""
  theirs, out = tmp_path / "theirs", tmp_path / "out"
  foreign_directories.build("gpt2", theirs, n_layer=1)

  def train(*flags):
    return cli.main(
      [
        *("train", f"--model={theirs}", f"--workdir={out}"),
        *("--budget=steps:2", "--batch_size=4", "--data.packing=document"),
        *(f"--data.corpus={tiny.corpus}", "--adapt.method=soft_prompt"),
        *("--adapt.init=text", "--adapt.text=the fox", "--adapt.tokens=4"),
        *flags,
      ]
    )

  assert train("--length=64") == 2
  error = capsys.readouterr().err
  assert "64 positions behind the 4 of --adapt.method=soft_prompt" in error
  assert "--length=60 would fit" in error
  assert train("--length=32", "--trunk.dropout=0") == 0
  capsys.readouterr()
  model, base = load.load(str(out)), load.load(str(theirs))
  assert model.config.adapt["text"] == "the fox"
  rows = model.params["embedder_main"]["adaptation_embedding"]
  ids = base.tokenizer.encode("the fox")
  table = base.params["embedder_main"]["embedding"]
  first = np.asarray(table)[np.resize(ids, 4)]
  assert 0 < np.abs(rows - first).max() < 0.05  # two small steps away
  to = tmp_path / "to"
  assert cli.main(["export", f"--model={out}", f"--to={to}"]) == 2
  error = capsys.readouterr().err
  assert "soft_prompt can't be merged" in error and error.count("\n") == 1
  assert not to.exists()
  assert cli.main(["export", f"--model={out}", f"--to={to}", "--adapter"]) == 0
  written = json.loads((to / "adapter_config.json").read_text())
  assert written["base_model_name_or_path"] == str(theirs)
  assert {x.name for x in to.iterdir()} == {
    "adapter_config.json",
    "adapter_model.safetensors",
  }


def test_lora_over_an_imported_model_is_merged_on_export(tiny, tmp_path):
  """GPT-2's fused projection; the tokenizer comes along."""
  theirs, out, to = (tmp_path / x for x in ("theirs", "out", "to"))
  foreign_directories.build("gpt2", theirs, n_layer=1)
  code = cli.main(
    [
      *("train", f"--model={theirs}", f"--workdir={out}", "--length=32"),
      *("--budget=steps:3", "--batch_size=4", "--adapt.method=lora"),
      *(f"--data.corpus={tiny.corpus}", "--optimizer.learning_rate=0.1"),
    ]
  )
  assert code == 0
  assert cli.main(["export", f"--model={out}", f"--to={to}"]) == 0
  run, back, base = (lm_jax.load(x) for x in (out, to, theirs))
  ids = np.array([back.tokenizer.encode("the quick fox")])
  expected = run.logits(ids)
  assert np.abs(expected - base.logits(ids)).max() > 1e-2
  np.testing.assert_allclose(back.logits(ids), expected, rtol=0, atol=1e-5)
  code = cli.main(["export", f"--model={out}", f"--to={to}2", "--adapter"])
  assert code == 0
  fields = json.loads(Path(f"{to}2", "adapter_config.json").read_text())
  assert fields["target_modules"] == ["transformer.h.0.attn.c_attn"]
  assert (fields["r"], fields["lora_alpha"]) == (16, 32.0)


def test_a_run_that_names_itself_as_its_base_is_refused(lora, tmp_path):
  shutil.copytree(lora.workdir, tmp_path / "run")
  file = tmp_path / "run" / "config.json"
  file.write_text(file.read_text().replace(lora.model, str(file.parent)))
  with pytest.raises(UsageError, match="itself adapted"):
    load.load(str(file.parent))


def test_options_of_an_adaptation_can_be_swept():
  lora = overrides.override(Config(), {"adapt.method": "lora"})
  assert lora.adapt == {"method": "lora"}
  swept = overrides.override(lora, {"adapt.targets": "key", "adapt.rank": "2"})
  assert swept.adapt == {"method": "lora", "targets": ("key",), "rank": 2}
  # Another method brings its own options.
  other = overrides.override(swept, {"adapt.method": "dora"})
  assert other.adapt == {"method": "dora"}


def test_only_what_is_adapted_has_an_adapter(lora, tmp_path, capsys):
  to = tmp_path / "to"
  code = cli.main(
    ["export", f"--model={lora.model}", f"--to={to}", "--adapter"]
  )
  assert code == 2
  assert "is not adapted" in capsys.readouterr().err
  assert not to.exists()
