"""Training that goes on from a model of Hugging Face Transformers."""

import dataclasses
import json

import foreign_directories
import numpy as np
import pytest
from tiny import metrics, without_yardsticks

import lm_jax
from lm_jax import cli
from lm_jax.data import rows as rows_lib
from lm_jax.inference import continued
from lm_jax.runs import run, starting
from lm_jax.storage import checkpoint
from lm_jax.storage.digest import flatten
from lm_jax.training import assemble


@pytest.fixture(autouse=True)
def _fast(monkeypatch, tiny):
  monkeypatch.setenv("LM_JAX_CACHE", str(tiny.cache))
  without_yardsticks(monkeypatch)


@pytest.fixture
def train(tiny):
  """Trains a model two steps further; returns the exit code."""

  def go(model, workdir, *flags):
    return cli.main(
      [
        *("train", f"--model={model}", f"--workdir={workdir}"),
        *("--budget=steps:2", "--length=32", "--batch_size=4"),
        *(f"--data.corpus={tiny.corpus}", "--log_every=1"),
        *("--trunk.dropout=0", "--trunk.attention_dropout=0", *flags),
      ]
    )

  return go


def losses(directory):
  return [x["loss"] for x in metrics(directory) if "loss" in x]


def result(directory):
  return json.loads((directory / "result.json").read_text())


@pytest.mark.parametrize("name", ["gpt2", "bert"])
def test_an_imported_model_is_like_a_run(name, train, tmp_path):
  theirs, imported = tmp_path / "theirs", tmp_path / "imported"
  foreign_directories.build(name, theirs)
  first, second = tmp_path / "first", tmp_path / "second"
  assert train(theirs, first) == 0
  # The command again does nothing; another run needs another directory.
  before = (first / "result.json").stat().st_mtime_ns
  assert train(theirs, first) == 0
  assert (first / "result.json").stat().st_mtime_ns == before
  assert train(theirs, first, "--seed=3") == 2
  # The same from a run directory that it was imported into.
  assert cli.main(["import", f"--model={theirs}", f"--workdir={imported}"]) == 0
  assert train(imported, second) == 0
  assert losses(second) == losses(first)
  assert result(second)["digest"] == result(first)["digest"]
  # And further from what came out, which begins where that ended.
  third = tmp_path / "third"
  assert train(first, third, "--budget=steps:1") == 0
  assert losses(third)[0] < losses(first)[0]
  # What an export holds is what the run holds, its tokenizer too.
  to = tmp_path / "back"
  assert cli.main(["export", f"--model={first}", f"--to={to}"]) == 0
  ours, back = lm_jax.load(first), lm_jax.load(to)
  assert back.tokenizer.encode("the fox") == ours.tokenizer.encode("the fox")
  for one, other in zip(
    ours.hidden(["the quick fox"]), back.hidden(["the quick fox"]), strict=True
  ):
    np.testing.assert_array_equal(one, other)
  # It is evaluated where all that it came from is gone.
  for folder in (theirs, imported):
    folder.rename(tmp_path / f"{folder.name}-gone")
  assert cli.main(["evaluate", f"--model={first}"]) == 0
  minimal = ["evaluate", f"--model={second}", "--tasks=minimal_pairs"]
  assert cli.main(minimal) == 0


@pytest.mark.parametrize("name", ["gpt2", "bert", "bart", "xlnet"])
def test_it_starts_from_the_parameters_of_the_file(name, tiny, tmp_path):
  theirs = tmp_path / "theirs"
  foreign_directories.build(name, theirs)
  lm = lm_jax.load(theirs)
  config = continued.continued(str(theirs), ["length", "data.corpus"])
  data = dataclasses.replace(config.data, corpus=str(tiny.corpus))
  config = dataclasses.replace(
    config, length=32, batch_size=4, data=data, budget="steps:2"
  )
  run.Run(config)
  dataset = rows_lib.load(config.data, config.length)
  program = assemble.make_program(config, dataset)
  with checkpoint.Checkpoints(tmp_path / "checkpoints") as none_yet:
    state, ledger, _ = starting.start(config, dataset, program, none_yet)
  assert ledger.steps == 0
  found, wanted = flatten(state.params), flatten(lm._params)
  assert found.keys() == wanted.keys()
  for path, leaf in found.items():
    np.testing.assert_array_equal(leaf, wanted[path], err_msg=path)


def test_the_first_loss_is_that_of_the_model(train, tiny, tmp_path):
  """By its own logits, text by text, where a row has several."""
  theirs = tmp_path / "theirs"
  foreign_directories.build("gpt2", theirs)
  assert train(theirs, tmp_path / "run") == 0
  lm = lm_jax.load(theirs)
  data = dataclasses.replace(lm.config.data, corpus=str(tiny.corpus))
  batch = rows_lib.load(data, 32).batch(0, 0, 4)
  nll, count = 0.0, 0
  for tokens, segment in zip(batch.tokens_BxL, batch.segment_BxL, strict=True):
    for number in np.unique(segment[segment > 0]):
      ids = np.asarray(tokens)[segment == number]
      logits = lm.logits(ids[None])[0].astype(np.float64)
      logits -= np.log(np.exp(logits).sum(1, keepdims=True))
      nll -= logits[np.arange(len(ids) - 1), ids[1:]].sum()
      count += len(ids) - 1
  assert losses(tmp_path / "run")[0] == pytest.approx(nll / count, rel=1e-5)


@pytest.mark.parametrize(
  ("name", "flags", "message"),
  [
    ("openai-gpt", (), "--objective=clm: the tokenizer has no boundary token"),
    (
      "m2m_100",
      ("--objective=denoising", "--architecture=encoder_decoder"),
      "--objective=denoising: the tokenizer has no mask token",
    ),
    ("bert", ("--trunk.width=64",), "--trunk.width: --model="),
    ("bart", ("--objective=mlm",), "--architecture=encoder: --model="),
    ("llama", ("--objective=mlm",), "`import --mask=_` names one"),
    ("bert", ("--length=65",), "--length=65: its streams take 65 positions"),
  ],
)
def test_what_cannot_go_on(name, flags, message, train, tmp_path, capsys):
  foreign_directories.build(name, tmp_path / "theirs")
  assert train(tmp_path / "theirs", tmp_path / "run", *flags) == 2
  error = capsys.readouterr().err
  assert message in error
  assert error.count("\n") == 1
  assert not (tmp_path / "run").exists()
