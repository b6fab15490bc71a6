"""One protocol: what all models share, what is chosen, and the table."""

import json

import films
import numpy as np
import pytest

from lm_jax import cli
from lm_jax.report import protocol as report
from lm_jax.runs import protocol
from lm_jax.support.errors import UsageError


@pytest.fixture(scope="module")
def place(tmp_path_factory):
  folder = tmp_path_factory.mktemp("sst2")
  return films.write(folder, train=96, dev=30, test=40)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
  """Two that have hardly been trained."""
  folder = tmp_path_factory.mktemp("models")
  for name in ("clm", "mlm"):
    argv = ["train", f"--objective={name}", "--size=nano", "--length=32"]
    argv += ["--batch_size=4", "--budget=steps:1", "--eval=none"]
    argv.append(f"--workdir={folder}/{name}")
    assert cli.main(argv) == 0
  return folder


def _argv(models, place, directory):
  return [
    *("finetune", f"--models={models}/clm,masked={models}/mlm"),
    *("--tasks=sst2", f"--task_data=sst2={place}", "--methods=full,probe"),
    *("--seeds=2", "--sweep=optimizer.learning_rate=1e-3,1e-2"),
    *("--epochs=2", "--batch_size=16", "--length=32", "--eval_every=3"),
    f"--workdir={directory}",
  ]


@pytest.fixture(scope="module")
def finished(models, place, tmp_path_factory):
  directory = tmp_path_factory.mktemp("protocol") / "runs"
  assert cli.main(_argv(models, place, directory)) == 0
  return directory


def test_all_trials_and_the_best_ones_seeds_are_run(finished):
  about = json.loads((finished / "protocol.json").read_text())
  assert about["baseline"] == "clm"
  assert set(about["models"]) == {"clm", "masked"}
  assert about["sweeps"] == {"optimizer.learning_rate": ["1e-3", "1e-2"]}
  assert len(about["cells"]) == 4
  for cell in about["cells"]:
    results = {
      name: json.loads((finished / "runs" / name / "result.json").read_text())
      for name in {*cell["trials"], *cell["runs"]}
    }
    assert len(cell["trials"]) == 2 and len(cell["runs"]) == 2
    best = {
      name: max(value for _, value in results[name]["selected"]["curve"])
      for name in cell["trials"]
    }
    assert best[cell["runs"][0]] == max(best.values())
    assert results[cell["runs"][1]]["seed"] == 1


def test_models_share_all_but_themselves(finished):
  """No setting differs between two models' trials of the same values."""
  configs = {}
  for path in (finished / "runs").glob("*-full-*1e-3-seed0/config.json"):
    configs[path.parent.name.partition("-")[0]] = json.loads(path.read_text())
  assert set(configs) == {"clm", "masked"}
  shared = ("batch_size", "budget", "eval_every", "length", "optimizer", "seed")
  for key in (*shared, "patience", "train_examples", "task"):
    assert configs["clm"][key] == configs["masked"][key], key


def test_the_table_says_what_each_number_is(finished, capsys):
  assert cli.main(["report", f"--workdir={finished}"]) == 0
  text = capsys.readouterr().out
  assert "sst2: accuracy, 40 test examples" in text
  assert "label of the text, last token" in text
  assert "label of the text, first token" in text
  assert "difference to clm" in text
  lines = (finished / "results.csv").read_text().splitlines()
  assert len(lines) == 1 + 4 * 2
  assert "<script" not in (finished / "report.html").read_text()


def test_the_same_command_reuses_all(finished, models, place, capsys):
  before = {
    p: p.stat().st_mtime_ns for p in finished.glob("runs/*/result.json")
  }
  assert cli.main(_argv(models, place, finished)) == 0
  for path, changed in before.items():
    assert path.stat().st_mtime_ns == changed


def test_an_experiment_stands_for_its_arms_by_seed(tmp_path):
  runs = [
    {"name": f"{arm}-seed{seed}", "arm": arm, "seed": seed}
    for arm in ("clm", "mlm")
    for seed in (1, 0)
  ]
  (tmp_path / "experiment.json").write_text(json.dumps({"runs": runs}))
  for run in runs:
    folder = tmp_path / "runs" / run["name"]
    folder.mkdir(parents=True)
    status = "failed" if run["name"] == "mlm-seed1" else "done"
    (folder / "result.json").write_text(json.dumps({"status": status}))
  clm, mlm = protocol.arms_of([str(tmp_path)])
  assert [arm.name for arm in (clm, mlm)] == ["clm", "mlm"]
  assert clm.of(0).endswith("clm-seed0") and clm.of(1).endswith("clm-seed1")
  assert mlm.of(0) == mlm.of(1)
  [named, _] = protocol.arms_of([f"mine={tmp_path}"])
  assert named.name == "mine/clm"


def _read(**given):
  return protocol.read({path: [text] for path, text in given.items()})


def test_a_flag_wins_over_the_usual_sweep(models):
  good = {"models": str(models / "clm"), "tasks": "sst2"}
  path = "optimizer.learning_rate"
  assert path in _read(**good).sweeps
  asked = _read(**good, **{path: "2e-5"})
  assert (asked.sweeps, asked.shared) == ({}, {path: "2e-5"})
  with pytest.raises(UsageError, match="give one of the two"):
    _read(**good, **{path: "2e-5", "sweep": f"{path}=1e-5,1e-4"})
  twice = {"models": f"{models / 'clm'},again={models / 'clm'}"}
  with pytest.raises(UsageError, match="clm and again are one and the same"):
    _read(**good | twice)


def test_bad_flags_are_named(models):
  good = {"models": str(models / "clm"), "tasks": "sst2"}
  for changed, message in (
    ({"models": ""}, "--models: needed"),
    ({"tasks": ""}, "--tasks: needed"),
    ({"models": "/nowhere"}, "--models=/nowhere: no such directory"),
    ({"methods": "ful"}, "--methods=ful: unknown; did you mean full"),
    ({"seeds": "0"}, "--seeds=0: must be 1 to 1000"),
    ({"baseline": "mlm"}, "--baseline=mlm: unknown"),
    ({"task_data": "rte=x"}, "--task_data=rte: unknown"),
    ({"task_data": "x"}, "--task_data=x: must be TASK=PATH"),
    ({"seed": "1"}, "--seed=1: a protocol has"),
    (
      {"models": f"{models}/clm,{models}/clm"},
      "two are called clm; NAME=DIRECTORY",
    ),
  ):
    with pytest.raises(UsageError, match=message):
      _read(**(good | changed))


def test_a_table_tells_why_a_number_is_missing(tmp_path):
  cell = {"arm": "a", "task": "sst2", "method": "prompt", "metric": "accuracy"}
  about = {"name": "p", "baseline": "a", "seeds": 1, "cells": []}
  folder = tmp_path / "runs" / "a"
  folder.mkdir(parents=True)
  result = {"status": "failed", "error": "has no <output>"}
  (folder / "result.json").write_text(json.dumps(result))
  about["cells"] = [cell | {"runs": ["a"]}, cell | {"arm": "b", "runs": ["b"]}]
  (tmp_path / "protocol.json").write_text(json.dumps(about))
  text = report.write(tmp_path)
  assert "a, prompt: not measured: has no <output>" in text
  assert "b, prompt: not measured: not run" in text
  assert "has no &lt;output&gt;" in (tmp_path / "report.html").read_text()


def test_differences_are_those_of_the_scores(tmp_path):
  """Against the means by hand."""
  rng = np.random.default_rng(0)
  cells, grids = [], {}
  for arm, skill in (("base", 0.6), ("new", 0.8)):
    grids[arm] = (rng.random((3, 50)) < skill).astype(float)
    runs = []
    for seed, items in enumerate(grids[arm]):
      folder = tmp_path / "runs" / f"{arm}{seed}"
      folder.mkdir(parents=True)
      result = {
        "status": "done",
        "seed": seed,
        "metrics": {"sst2/accuracy": items.mean()},
        "items": {"sst2": items.tolist()},
      }
      (folder / "result.json").write_text(json.dumps(result))
      runs.append(folder.name)
    cells.append(
      {"arm": arm, "task": "sst2", "method": "full", "metric": "accuracy"}
      | {"runs": runs}
    )
  about = {"name": "p", "baseline": "base", "seeds": 3, "cells": cells}
  (tmp_path / "protocol.json").write_text(json.dumps(about))
  text = report.write(tmp_path)
  for grid in grids.values():
    assert f"{100 * grid.mean():.1f} [" in text
  gap = 100 * (grids["new"].mean() - grids["base"].mean())
  assert f"{gap:+.1f} [" in text
