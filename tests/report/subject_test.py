"""What a page says of an experiment is what its runs were."""

import json

import numpy as np
import pytest
from json_files import edited

from experiments import compare_objectives, masking_rate, positions
from lm_jax import config as config_lib
from lm_jax import report
from lm_jax.commands import compare
from lm_jax.report import arms, collect, subject
from lm_jax.runs import grid, record
from lm_jax.runs import sweeps as sweeps_lib


def _settings(runs, sweeps=(), common=None):
  configs = grid.cross(runs, sweeps_lib.parse(sweeps), 2, common)
  return [config_lib.flat(config) for config in configs]


@pytest.mark.parametrize(
  ("runs", "sweeps", "paths"),
  [
    (compare_objectives.runs(), [], ["objective", "optimizer.learning_rate"]),
    (
      positions.runs(),
      [],
      ["objective", "trunk.positions"],
    ),
    (masking_rate.runs(), [], ["objective.rate"]),
    (compare_objectives.runs(("mlm",)), ["size=nano,tiny"], ["size"]),
    (
      compare_objectives.runs(("mlm", "rtd")),
      ["optimizer.learning_rate=1e-3,3e-3", "trunk.layers=1,2"],
      ["objective", "optimizer.learning_rate", "trunk.layers"],
    ),
    (
      compare_objectives.runs(("clm",)),
      ["data.vocabulary_size=500,900"],
      ["data.vocabulary_size"],
    ),
  ],
  ids=range(6),
)
def test_what_varies(runs, sweeps, paths):
  assert subject.varied(_settings(runs, sweeps)) == paths


def test_a_sweep_has_words_of_its_own():
  runs = compare_objectives.runs(("mlm",))
  settings = _settings(runs, ["optimizer.learning_rate=1e-3,3e-3"])
  found = subject.derived("compare_objectives", settings)
  assert found.title == "mlm: optimizer.learning_rate"
  assert found.question == (
    "Which optimizer.learning_rate does best, 0.001 or 0.003, for mlm under"
    " --budget=flops:700000000000?"
  )
  assert found.docstring == ""
  text = subject.differences(settings)
  assert "what differs is optimizer.learning_rate (0.001 and 0.003)" in text
  assert "only the objective" not in text
  rows = subject.differences(_settings(runs, ["length=64,128"]))
  assert rows.startswith("The arms do not read the same rows: length differ")
  same = {"optimizer.learning_rate": "1e-3"}
  own = subject.differences(_settings(compare_objectives.runs(), (), same))
  assert "same rows in the same order" in own
  assert "only the objective changes" in own
  few = subject.derived(
    "x", _settings(compare_objectives.runs(("mlm", "rtd")), (), same)
  )
  assert few.title == "mlm and rtd"
  assert few.question.startswith("Which objective does best, mlm or rtd, under")


@pytest.mark.parametrize(
  ("objective", "sweep", "compares"),
  [
    ("mlm", "optimizer.learning_rate=1e-3,3e-3", True),
    ("mlm", "trunk.layers=1,2", True),
    ("mlm", "budget=steps:2,steps:3", True),
    ("mlm", "objective.rate=0.15,0.3", False),
    ("mlm", "data.vocabulary_size=500,900", False),
    ("mlm", "length=64,128", False),
    # Validation takes four batches.
    ("mlm", "batch_size=4,8", False),
    ("mlm", "objective=mlm,clm", False),
  ],
)
def test_losses_of_one_objective_compare(objective, sweep, compares):
  runs = compare_objectives.runs((objective,))
  assert subject.losses_compare(_settings(runs, [sweep])) == compares


def _swept(experiment, losses, about, scoring="pseudo_log_likelihood"):
  """Two arms of mlm with two learning rates, and their validation losses."""
  root = experiment(arms=("clm", "mlm"), seeds=3)
  with edited(root / "experiment.json") as recorded:
    recorded |= about
  settings = _settings(
    compare_objectives.runs(("mlm",)), ["optimizer.learning_rate=1e-3,3e-3"]
  )
  for arm, config, mean in zip(
    ("clm", "mlm"), settings[::2], losses, strict=True
  ):
    tree = {"objective_options": {}, "trunk": {}, "data": {}, "optimizer": {}}
    for name, value in config.items():
      group, dot, leaf = name.partition(".")
      group = "objective_options" if group == "objective" and dot else group
      if dot:
        tree[group][leaf] = value
      else:
        tree[name] = value
    for seed in range(3):
      folder = root / "runs" / f"{arm}-{seed}"
      (folder / "config.json").write_text(json.dumps(tree))
      noise = 0.001 * np.random.default_rng([seed, ord(arm[0])]).normal()
      with edited(folder / "result.json") as result:
        result["metrics"]["validation_loss"] = mean + noise
        result |= {"objective": "mlm", "scoring": scoring}
  return root


def test_the_page_of_a_sweep(experiment):
  about = {
    "question": "Which pretraining objective at the same FLOPs?",
    "command": "launch.py compare --objectives=mlm --sweep=optimizer",
  }
  root = _swept(experiment, (3.0, 2.5), about)
  report.write(root)
  for name in ("report.md", "report.html"):
    text = (root / name).read_text()
    assert "mlm: optimizer.learning_rate" in text.replace("\\", "")
    for false in (
      "Which pretraining objective",
      "only the objective changes",
      "Six objectives",
      "not comparable between",
    ):
      assert false not in text
  text = " ".join(report.table(root).split())
  assert text.startswith("mlm: optimizer.learning_rate =")
  assert "mlm beats clm on own validation loss (3 seeds an arm" in text
  assert "−0.50" in text or "−0.49" in text
  loaded = collect.load(root)
  assert arms.tested(loaded) == "validation_loss"


def test_a_loss_that_makes_its_own_task_is_not_compared(experiment):
  root = _swept(experiment, (3.0, 2.5), {}, "energy")
  assert arms.tested(collect.load(root)) == "minimal_pairs"


def test_compare_records_what_it_runs(monkeypatch, tmp_path):
  class Interrupted:
    def __init__(self, config):
      self.config = config

    def execute(self, progress=True):
      raise KeyboardInterrupt

  monkeypatch.setattr("lm_jax.runs.comparison.Run", Interrupted)
  monkeypatch.setattr("lm_jax.runs.spends.is_open", lambda _: False)

  def about(name, **given):
    place = str(tmp_path / name)
    texts = {path: [text] for path, text in given.items()}
    compare.run(
      {**texts, "workdir": [place], "parallel": ["1"]},
      "launch.py compare",
      False,
    )
    return json.loads((tmp_path / name / record.FILE).read_text())

  own = about("own", budget="flops:1e9")
  assert own["title"] == own["name"] == "compare_objectives"
  assert own["question"].startswith("Which pretraining objective learns")
  assert own["changed"] == ["--budget=flops:1e9"]
  swept = about("swept", objectives="mlm", sweep="trunk.layers=1,2")
  assert swept["title"] == "mlm: trunk.layers"
  assert swept["question"].startswith("Which trunk.layers does best, 1 or 2")
  # The file's own words are of other arms.
  assert "Expected: nothing was written down" in swept["docstring"]
  assert "wsd" not in swept["docstring"]
  assert swept["sweeps"] == [
    {"options": ["trunk.layers"], "values": [["1"], ["2"]], "arm": ""}
  ]
  assert swept["swept"] == {
    f"mlm-layers={n}": {"arm": "mlm", "values": {"trunk.layers": n}}
    for n in ("1", "2")
  }
  assert "sweeps" not in own


def test_words_of_ranges_linked_options_and_arms():
  runs = compare_objectives.runs(("mlm", "clm"))
  settings = _settings(runs, ["trunk.layers=1,2"])
  found = subject.derived("x", settings, {"trunk.layers": ["1", "2"]})
  # Each has a learning rate of its own, which was not swept.
  assert found.title == "mlm and clm: trunk.layers"
  assert found.question.startswith(
    "Which trunk.layers does best, 1 or 2, for each of mlm and clm under"
  )
  linked = {
    "size+optimizer.learning_rate": ["nano+4e-3", "tiny+1e-3"],
    "mlm/objective.rate": ["0.15", "0.4"],
  }
  found = subject.derived("x", settings, linked)
  assert found.question.startswith(
    "Which size+optimizer.learning_rate (nano+4e-3 or tiny+1e-3) and"
    " mlm/objective.rate (0.15 or 0.4) do best for each of mlm and clm under"
  )
  assert "  mlm/objective.rate = 0.15, 0.4\n" in found.docstring


def test_seeds_are_no_subject():
  runs = [{"objective": "clm", "seed.order": order} for order in (0, 1)]
  assert subject.varied(runs) == []
