"""The recipes of CONTRIBUTING.md work as they are printed, from a folder."""

import dataclasses
import json
import pathlib
import re

import flax.traverse_util
import foreign_directories
import numpy as np
import plugging
import printed
import processes
import pytest

import lm_jax
from lm_jax import cli
from lm_jax.adaptation.base import is_own

ROOT = pathlib.Path(__file__).parents[1]
# The code of each, by its path in the directory, which is its first line.
RECIPES = printed.files(ROOT / "CONTRIBUTING.md")
BY_KIND = {path.partition("/")[0]: pathlib.Path(path).stem for path in RECIPES}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  """What a user has: the recipes' files, each in the folder of its kind."""
  root = tmp_path_factory.mktemp("mine")
  for path, code in RECIPES.items():
    (root / path).parent.mkdir(exist_ok=True)
    (root / path).write_text(code)
  return root


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tiny):
  monkeypatch.setenv("LM_JAX_CACHE", str(tiny.cache))
  with plugging.forgotten():
    yield


@pytest.fixture(scope="module")
def flags(folder, tiny):
  """Those that make a run tiny."""
  shape = {"layers": 1, "width": 32, "heads": 2, "feedforward": 64}
  return [
    f"--plugins={folder}",
    "--budget=steps:4",
    "--length=32",
    "--batch_size=4",
    *(f"--trunk.{name}={value}" for name, value in shape.items()),
    *(f"--data.corpus={tiny.corpus}", f"--data.cache={tiny.cache}"),
    *("--data.tokenizer=bytes", "--data.sentinels=5"),
  ]


@pytest.fixture(scope="module")
def trained(flags, tmp_path_factory):
  """A run of the objective."""
  directory = tmp_path_factory.mktemp("trained") / "run"
  own = [f"--objective={BY_KIND['objectives']}", "--objective.least=0.2"]
  with plugging.forgotten():
    assert cli.main(["train", *flags, *own, f"--workdir={directory}"]) == 0
  return directory


def test_each_kind_has_a_recipe():
  kinds = {"objectives", "adaptation", "families", "tasks", "experiments"}
  kinds |= {"trackers"}
  assert set(BY_KIND) == kinds and len(RECIPES) == len(kinds)


def test_an_objective_trains(trained, folder, capsys):
  result = json.loads((trained / "result.json").read_text())
  assert result["plugins"] == [str(folder.resolve())]
  config = json.loads((trained / "config.json").read_text())
  assert config["objective"] == BY_KIND["objectives"]
  assert config["objective_options"]["least"] == 0.2
  assert "plugins" not in config
  # The run names no code: without the flag none is found.
  words = ["evaluate", f"--model={trained}", "--tasks=minimal_pairs"]
  assert cli.main(words) == 2
  error = capsys.readouterr().err
  assert f"={BY_KIND['objectives']}: unknown" in error
  assert "--plugins=DIR" in error and error.count("\n") == 1
  lm_jax.plugins(folder)
  assert np.isfinite(lm_jax.load(trained).score("The laws are in the act."))


def test_an_objective_keeps_the_contract(folder):
  words = [
    *("tests/objectives/contract", f"--plugins={folder}", "-q", "-n", "0"),
    *("-k", BY_KIND["objectives"], "-rs", "-p", "no:cacheprovider"),
  ]
  done = processes.python("-m", "pytest", *words)
  assert done.returncode == 0, done.stdout
  passed = re.search(r"(\d+) passed", done.stdout)
  assert int(passed.group(1)) >= 7
  assert re.findall(r"is new, and not in SEEN", done.stdout)


def test_an_adaptation_trains_its_own_parameters(trained, folder, tmp_path):
  method = f"--adapt.method={BY_KIND['adaptation']}"
  words = [f"--model={trained}", method, "--optimizer.learning_rate=0.1"]
  words += [f"--plugins={folder}", "--budget=steps:4"]
  assert cli.main(["train", *words, f"--workdir={tmp_path / 'run'}"]) == 0
  before, after = (
    flax.traverse_util.flatten_dict(lm_jax.load(path).trained.params, sep=".")
    for path in (trained, tmp_path / "run")
  )
  own = {name for name in after if is_own(name)}
  assert own and all(np.any(after[name] != 1) for name in own)
  assert all(np.array_equal(before[name], after[name]) for name in before)
  # And merged into the model it is the same model.
  adapted = lm_jax.load(tmp_path / "run")
  adaptation = adapted.trained.network.adaptation
  merged = adaptation.merged({name: after[name] for name in after})
  assert set(merged) == set(before)
  plain = lm_jax.load(trained)
  params = flax.traverse_util.unflatten_dict(merged, sep=".")
  plain = type(plain)(dataclasses.replace(plain.trained, params=params))
  ids = np.array([[9, 12, 10, 15, 11]])
  found = [lm.logits(ids) for lm in (adapted, plain)]
  np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-5)


def test_a_task_is_evaluated(trained, folder, capsys):
  name = BY_KIND["tasks"]
  words = [f"--model={trained}", f"--tasks={name}", f"--plugins={folder}"]
  assert cli.main(["evaluate", *words]) == 0
  assert f"{name}/accuracy" in capsys.readouterr().out


def test_a_family_reads_and_writes_its_directories(folder, tmp_path, capsys):
  family, theirs = BY_KIND["families"], tmp_path / "theirs"
  with plugging.forgotten():  # families are found once
    foreign_directories.build("modernbert", theirs)
  there = json.loads((theirs / "config.json").read_text())
  config = {name: there[name] for name in there if "token_id" in name}
  config |= foreign_directories.MODELS["roberta"][1]
  config |= {"model_type": family, "architectures": ["CamembertForMaskedLM"]}
  config |= {"vocab_size": there["vocab_size"], "max_position_embeddings": 72}
  (theirs / "config.json").write_text(json.dumps(config))
  lm_jax.plugins(folder)
  foreign_directories.write_weights(theirs)
  run, to = tmp_path / "run", tmp_path / "to"
  words = [f"--model={theirs}", f"--workdir={run}", f"--plugins={folder}"]
  assert cli.main(["import", *words]) == 0
  assert "CamembertForMaskedLM" in capsys.readouterr().out
  words = [f"--model={run}", f"--to={to}", f"--plugins={folder}"]
  assert cli.main(["export", f"--family={family}", *words]) == 0
  assert json.loads((to / "config.json").read_text())["model_type"] == family
  before, after = (
    (directory / "model.safetensors").read_bytes() for directory in (theirs, to)
  )
  assert before == after


def test_an_experiment_compares(flags, tmp_path, capsys):
  name = BY_KIND["experiments"]
  words = [f"--experiment={name}", "--seeds=1", f"--workdir={tmp_path / 'x'}"]
  assert cli.main(["compare", *flags, *words]) == 0
  record = json.loads((tmp_path / "x" / "experiment.json").read_text())
  assert [run["arm"] for run in record["runs"]] == ["one", "every"]
  assert "--plugins=" in record["command"]


def test_a_tracker_gets_what_a_run_logs(flags, tmp_path, capsys):
  name, place = BY_KIND["trackers"], tmp_path / "run"
  words = [f"--trackers=tensorboard,{name}", "--log_every=1"]
  assert cli.main(["train", *flags, *words, f"--workdir={place}"]) == 0
  sent = [x.split() for x in (place / "lines.txt").read_text().splitlines()]
  text = (place / "metrics.jsonl").read_text()
  logged = list(map(json.loads, text.splitlines()))
  losses = [f"{x['loss']}" for x in logged if "loss" in x]
  assert [value for _, what, value in sent if what == "loss"] == losses
  assert len(losses) == 4
  result = json.loads((place / "result.json").read_text())
  final = {what: float(value) for _, what, value in sent if "final/" in what}
  assert final == {f"final/{k}": v for k, v in result["metrics"].items()}
  assert (place / "events").is_dir()
  assert "goes on without it" not in capsys.readouterr().err
