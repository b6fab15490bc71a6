"""Models that are read, or gone on with, by another objective."""

import dataclasses
import json

import foreign_directories
import numpy as np
import pytest
from absl import logging
from tiny import pretrain, without_yardsticks

import lm_jax
from lm_jax import cli
from lm_jax.hugging_face import card
from lm_jax.storage.digest import flatten
from lm_jax.support.errors import UsageError


@pytest.fixture
def _fast(monkeypatch):
  without_yardsticks(monkeypatch)


@pytest.fixture(scope="module")
def phased(tiny, tmp_path_factory):
  """A run whose phases have parameters and visibility of their own."""
  place = tmp_path_factory.mktemp("phased")
  config = tiny.config(
    place, phases="rtd:0.5,clm:0.5", eval="none", budget="steps:2"
  )
  assert pretrain(config)["status"] == "done"
  return config


def test_a_run_of_phases_is_read_by_any_of_them(phased):
  """Each with its own parameters, outputs, kind of score and visibility."""
  last, first = lm_jax.load(phased.workdir), lm_jax.load(phased.workdir, "rtd")
  assert (last.scoring, first.scoring) == ("log_likelihood", "energy")
  assert last.trained.spec.architecture == "causal_decoder"
  assert first.trained.spec.architecture == "encoder"
  assert set(first.outputs) == {"replaced"}
  one, other = flatten(last.params), flatten(first.params)
  assert one.keys() < other.keys()
  assert any(name.startswith("heads_replaced") for name in other)
  for name in one:
    np.testing.assert_array_equal(one[name], other[name], err_msg=name)
  ids = np.array([[2, 60, 61, 62]])
  changed = np.array([[2, 60, 61, 63]])
  for lm, sees in ((last, False), (first, True)):
    states = [lm.hidden(x)[0][:3] for x in (ids, changed)]
    assert (not np.array_equal(*states)) == sees


def test_what_did_not_train_it_is_refused(phased, tmp_path, capsys):
  with pytest.raises(UsageError) as error:
    lm_jax.load(phased.workdir, "mlm")
  assert str(error.value) == (
    f"--as=mlm: path={phased.workdir} was trained by rtd and clm"
  )
  model = f"--model={phased.workdir}"
  for argv in (
    ["export", model, f"--to={tmp_path}/to"],
    ["evaluate", model],
    ["generate", model, "--prompt=a"],
    ["chat", model],
    ["finetune", model, "--task=era", f"--workdir={tmp_path}/tuned"],
  ):
    assert cli.main([*argv, "--as=mlm"]) == 2
    message = capsys.readouterr().err
    assert "--as=mlm: --model=" in message and "by rtd and clm" in message
    assert message.count("\n") == 1
  assert not list(tmp_path.iterdir())


def test_generation_takes_the_last_phase_or_another(phased, capsys):
  argv = ["generate", f"--model={phased.workdir}", "--prompt=the law"]
  assert cli.main([*argv, "--max_new_tokens=3"]) == 0
  assert capsys.readouterr().out.startswith("the law")
  assert cli.main([*argv, "--as=rtd"]) == 2
  assert "no output over the vocabulary" in capsys.readouterr().err


@pytest.mark.usefixtures("_fast")
def test_all_parameters_go_on(phased, tiny, tmp_path, caplog):
  """Also those of an earlier phase, and with its objective: nothing anew."""
  config = tiny.config(tmp_path, objective="rtd", budget="steps:1")
  config = dataclasses.replace(config, model=phased.workdir)
  assert pretrain(config)["status"] == "done"
  assert "starts anew" not in caplog.text
  assert "see others" not in caplog.text


@pytest.mark.usefixtures("_fast")
def test_an_adapted_model_has_phases(finished, tmp_path):
  """LoRA, by both objectives; what it adapts stays as it is."""
  config = dataclasses.replace(
    finished,
    model=finished.workdir,
    workdir=str(tmp_path),
    phases="mlm:0.5,clm:0.5",
    adapt={"method": "lora"},
    budget="steps:4",
  )
  assert pretrain(config)["status"] == "done"
  lm = lm_jax.load(tmp_path, "mlm")
  assert lm.trained.spec.architecture == "encoder"
  new = flatten(lm.params)
  old = flatten(lm_jax.load(finished.workdir).params)
  assert len(new) > len(old)
  assert any((new[name] != 0).all() for name in new.keys() - old.keys())
  for name, leaf in old.items():
    np.testing.assert_array_equal(leaf, new[name], err_msg=name)


@pytest.mark.usefixtures("_fast")
@pytest.mark.parametrize("objective", ["mlm", "hybrid"])
def test_a_decoder_becomes_an_encoder(
  objective, tiny, tmp_path, caplog, monkeypatch
):
  """LLM2Vec: masked prediction on an imported LLaMA, said in one line."""
  monkeypatch.setattr(logging.get_absl_logger(), "propagate", True)
  monkeypatch.setenv("LM_JAX_CACHE", str(tiny.cache))
  theirs, base, new = (tmp_path / x for x in ("theirs", "base", "new"))
  foreign_directories.build("llama", theirs)
  argv = ["import", f"--model={theirs}", f"--workdir={base}"]
  assert cli.main([*argv, "--mask=no such"]) == 2
  assert cli.main([*argv, "--mask=z"]) == 0
  assert cli.main([*argv, "--mask=z"]) == 0  # it was there
  assert cli.main([*argv, "--mask=y"]) == 2
  flags = ["--budget=steps:2", "--length=32", "--batch_size=4"]
  flags += [f"--data.corpus={tiny.corpus}", f"--objective={objective}"]
  flags += ["--optimizer.learning_rate=1e-9"]
  caplog.clear()
  train = ["train", f"--model={base}", f"--workdir={new}", *flags]
  assert cli.main(train) == 0
  lines = [x for x in caplog.messages if "its tokens see others" in x]
  assert len(lines) == 1 and f"goes on by {objective}" in lines[0]
  old, lm = lm_jax.load(base), lm_jax.load(new)
  assert lm.tokenizer.specials.mask == lm.tokenizer.id_of("z")
  one, other = flatten(old.params), flatten(lm.params)
  for name in one:
    np.testing.assert_allclose(one[name], other[name], atol=1e-6, err_msg=name)
  # The first token now sees the last one.
  ids, changed = np.array([[1, 260, 261]]), np.array([[1, 260, 262]])
  for model, sees in ((old, False), (lm, True)):
    states = [model.hidden(x)[0][0] for x in (ids, changed)]
    assert (not np.array_equal(*states)) == sees
  record = json.loads((new / "result.json").read_text())
  assert record["objective"] == objective


def test_both_objectives_score_a_run(tiny, tmp_path):
  """Measures as `--as` would read it, with the kinds of their scores."""
  config = tiny.config(tmp_path, phases="clm:0.5,mlm:0.5", eval="final")
  result = pretrain(config)
  kinds = {"clm": "log_likelihood", "mlm": "pseudo_log_likelihood"}
  assert result["objectives"] == kinds
  assert list(result["objectives"]) == ["clm", "mlm"]
  for name, key in (("mlm", ""), ("clm", ".clm")):
    lm = lm_jax.load(tmp_path, name)
    evaluation = lm_jax.evaluate(lm, "minimal_pairs")
    score = evaluation["minimal_pairs"]
    assert result["metrics"][f"minimal_pairs{key}"] == pytest.approx(score)
    # The card of an export has the numbers of its own objective.
    told = card._result(lm.trained)["metrics"]
    assert told["minimal_pairs"] == result["metrics"][f"minimal_pairs{key}"]
    assert not [name for name in told if name.endswith(".clm")]
  assert "bits_per_byte.clm" in result["metrics"]
