"""A sweep is read as one: factors, lines, what compares, the best of each."""

import csv
import json
import math

import matplotlib
import pytest
import swept

from lm_jax import report
from lm_jax.api import results
from lm_jax.report import collect, compare, sweep_plots, sweep_tables, sweeps
from lm_jax.report.blocks import Table, Text
from lm_jax.support.errors import UsageError

RATES = "optimizer.learning_rate=1e-4:1e-2:log:5"
BEST = {"mlm": 1e-3, "clm": 1e-2}


def _metrics(config):
  """Losses whose best rate is known; the seed moves them a little."""
  rate = config.optimizer.learning_rate
  away = abs(math.log10(rate / BEST.get(config.objective, 1e-3)))
  own = {"mlm": 3.0, "clm": 5.0}.get(config.objective, 0.5)
  noise = 0.01 * config.seed
  return {
    "validation_loss": own + away + noise,
    "minimal_pairs": 0.6 - 0.05 * away + noise,
  }


def _read(root):
  return sweeps.read(compare.analyse(collect.load(root)))


def _tables(sweep):
  return [b for b in sweep_tables.blocks(sweep) if isinstance(b, Table)]


def test_losses_are_compared_within_an_objective(tmp_path):
  root = swept.write(tmp_path / "x", ["mlm", "clm", "rtd"], [RATES], _metrics)
  sweep = _read(root)
  [factor] = sweep.factors
  assert factor.numbers == (1e-4, 3.16e-4, 1e-3, 3.16e-3, 1e-2)
  assert factor.log
  by_name = {line.name: line for line in sweep.lines}
  assert list(by_name) == ["mlm", "clm", "rtd"]
  assert by_name["mlm"].metric == by_name["clm"].metric == "validation_loss"
  # The loss of rtd makes its own task.
  assert by_name["rtd"].metric == "minimal_pairs"
  assert sweep.best(by_name["mlm"], "validation_loss") == (2,)
  assert not sweep.edges(by_name["mlm"], (2,))
  assert sweep.best(by_name["clm"], "validation_loss") == (4,)
  assert sweep.edges(by_name["clm"], (4,)) == [factor]
  mlm, clm, _ = sweep_tables.answer(sweep).split(". ")
  assert mlm.startswith(
    "mlm is best at optimizer.learning_rate=0.001: own vali"
  )
  assert "edge" not in mlm
  assert "at the edge of the range of optimizer.learning_rate" in clm
  own, pairs = _tables(sweep)
  assert own.head == ("optimizer.learning_rate", "mlm", "clm")
  assert own.rows[2] == ("0.001", "3.005 *", "6.005")
  assert own.rows[4] == ("0.01", "4.005", "5.005 *")
  assert pairs.head[1:] == ("mlm", "clm", "rtd")


def test_what_is_measured_on_other_rows_compares_by_pairs_alone(tmp_path):
  root = swept.write(tmp_path / "x", ["mlm"], ["length=32,64,128"], _metrics)
  sweep = _read(root)
  assert [line.metric for line in sweep.lines] == ["minimal_pairs"]
  assert not sweep.factors[0].log or sweep.factors[0].numbers[0] == 32


def test_two_options_are_a_matrix_and_a_map(tmp_path):
  texts = [RATES, "trunk.dropout=0,0.1"]
  root = swept.write(tmp_path / "x", ["mlm", "clm"], texts, _metrics)
  sweep = _read(root)
  assert [f.paths for f in sweep.factors] == [
    ("optimizer.learning_rate",),
    ("trunk.dropout",),
  ]
  own_mlm, own_clm, *pairs = _tables(sweep)
  assert own_mlm.head == ("optimizer.learning_rate", "0", "0.1")
  assert len(own_mlm.rows) == 5
  assert len(pairs) == 2
  assert own_mlm.rows[2][1] == "3.005 *"
  assert own_clm.rows[2][2] == "6.005"
  stems = [stem for stem, _, _ in sweep_plots.figures(sweep)]
  assert stems == ["sweep_loss", "sweep", "sweep_map"]
  with matplotlib.rc_context():
    for stem, _, make in sweep_plots.figures(sweep):
      figure = make()
      drawn = [axes for axes in figure.axes if axes.get_visible()]
      assert len(drawn) == 2, stem
      if stem == "sweep_map":
        assert drawn[0].collections[0].get_array().shape == (5, 2)
      else:
        assert drawn[0].get_xscale() == "log"
        ys = [line.get_ydata() for line in drawn[0].lines]
        assert sum(len(y) == 5 for y in ys) == 2  # a line for each dropout


def test_an_arm_with_values_of_its_own(tmp_path):
  texts = ["mlm/objective.rate=0.15,0.3,0.5"]
  root = swept.write(tmp_path / "x", ["mlm", "clm"], texts, _metrics)
  sweep = _read(root)
  assert [line.name for line in sweep.lines] == ["mlm"]
  assert sweep.outside == ("clm",)
  assert not sweep.factors[0].log
  assert "Without a place in it: clm." in [
    b.text for b in sweep_tables.blocks(sweep) if isinstance(b, Text)
  ]
  # An option that both have: the other one's own value is a point.
  texts = ["mlm/optimizer.learning_rate=2e-3,3e-3"]
  root = swept.write(tmp_path / "y", ["mlm", "clm"], texts, _metrics)
  sweep = _read(root)
  assert sweep.factors[0].numbers == (1e-3, 2e-3, 3e-3)
  assert {line.name: sorted(line.arms) for line in sweep.lines} == {
    "mlm": [(1,), (2,)],
    "clm": [(0,)],
  }
  assert "clm is best" not in sweep_tables.answer(sweep)


def test_linked_options_are_one_factor(tmp_path):
  texts = ["size+optimizer.learning_rate=nano+1e-3,tiny+1e-4"]
  root = swept.write(tmp_path / "x", ["mlm"], texts, _metrics)
  sweep = _read(root)
  [factor] = sweep.factors
  assert factor.label == "size with optimizer.learning_rate"
  assert factor.numbers == ()
  answer = sweep_tables.answer(sweep)
  assert "best at size=nano, optimizer.learning_rate=1e-3:" in answer
  text = report.table(root)
  assert "Answer           mlm is best at size=nano" in text
  amounts = ["budget=flops:1e11:1e12:log:3"]
  [factor] = _read(
    swept.write(tmp_path / "y", ["mlm"], amounts, _metrics)
  ).factors
  assert factor.label == "budget (flops)"
  assert factor.numbers == (1e11, 3.16e11, 1e12)
  assert factor.shown(1) == "3.16e11"


def test_an_experiment_of_numbers_is_a_sweep_too(tmp_path):
  root = swept.write(tmp_path / "x", ["mlm", "clm"], [RATES], _metrics)
  path = root / "experiment.json"
  about = json.loads(path.read_text())
  del about["sweeps"], about["swept"]
  path.write_text(json.dumps(about))
  sweep = _read(root)
  assert sweep.factors[0].paths == ("optimizer.learning_rate",)
  assert {line.name: len(line.arms) for line in sweep.lines} == {
    "mlm": 5,
    "clm": 5,
  }
  # It has its own question, and so its own answer.
  assert not sweep_tables.answer(sweep)
  assert "mlm is best at optimizer" in sweep_tables.blocks(sweep)[0].text
  # Two rates, or one for each objective, are none.
  root = swept.write(
    tmp_path / "y", ["mlm"], ["optimizer.learning_rate=1e-3,2e-3"], _metrics
  )
  path = root / "experiment.json"
  about = json.loads(path.read_text())
  del about["sweeps"]
  path.write_text(json.dumps(about))
  assert _read(root) is None


def test_runs_that_are_missing_leave_holes(tmp_path):
  gone = [f"mlm-learning_rate=0.001-seed{seed}" for seed in (0, 1)]
  root = swept.write(
    tmp_path / "x", ["mlm", "clm"], [RATES], _metrics, missing=gone
  )
  sweep = _read(root)
  assert _tables(sweep)[0].rows[2] == ("0.001", "–", "6.005")
  report.write(root)
  text = (root / "report.md").read_text()
  assert "figures/sweep_loss.png" in text
  assert (root / "figures" / "sweep_loss.svg").exists()


def test_tables_have_swept_values_of_all_runs(tmp_path):
  gone = [f"mlm-learning_rate=0.001-rate=0.3-seed{seed}" for seed in (0, 1)]
  texts = [RATES, "mlm/objective.rate=0.15,0.3"]
  root = swept.write(
    tmp_path / "x", ["mlm", "clm"], texts, _metrics, missing=gone
  )
  report.write(root)
  with (root / "results.csv").open(newline="") as file:
    runs = list(csv.DictReader(file))
  assert len(runs) == 2 * (5 * 2 + 5)
  by_name = {row["name"]: row for row in runs}
  for seed, name in enumerate(gone):
    row = by_name[name]
    assert (row["status"], row["seed"]) == ("not started", str(seed))
    assert (row["learning_rate"], row["objective.rate"]) == ("0.001", "0.3")
  done = by_name["clm-learning_rate=0.01-seed1"]
  assert (done["learning_rate"], done["objective.rate"]) == ("0.01", "")
  assert (done["size"], done["commit"], done["digest"]) == (
    "nano",
    "abc",
    "0f3a",
  )
  assert {"length", "batch_size", "budget", "corpus", "tokenizer"} <= set(done)
  assert done["parameters"] == "1000"
  table = results.results(root)
  assert table.rows[0]["validation_loss"] == float(runs[0]["validation_loss"])
  with (root / "arms.csv").open(newline="") as file:
    arms = list(csv.DictReader(file))
  assert [row["arm"] for row in arms] == table.arms["arm"]
  assert len(arms) == 15
  row = next(r for r in table.arms.rows if r["arm"] == "clm-learning_rate=0.01")
  assert (row["learning_rate"], row["seeds"], row["commit"]) == (0.01, 2, "abc")
  assert row["validation_loss"] == pytest.approx(5.005)
  assert list(table) == table.columns == list(table.rows[0])
  with pytest.raises(KeyError, match="did you mean learning_rate"):
    table["learning_rat"]
  frame = table.to_pandas()
  assert list(frame.columns) == table.columns and len(frame) == len(runs)
  assert "<td>clm</td>" in table.arms._repr_html_()


def test_a_damaged_record_is_a_line(tmp_path):
  root = swept.write(tmp_path / "x", ["mlm"], [RATES], _metrics)
  path = root / "experiment.json"
  about = json.loads(path.read_text())
  about["sweeps"] = [{"options": "size"}]
  path.write_text(json.dumps(about))
  with pytest.raises(UsageError, match="sweeps, number 1"):
    _read(root)


@pytest.mark.parametrize(
  ("values", "log"),
  [
    ("0.001,0.003,0.01", True),
    ("1e-4,1e-2", True),
    ("0.1,0.2,0.3", False),
    ("0.15,0.3", False),
    ("0,0.1,0.5", False),
  ],
)
def test_an_axis_is_spaced_as_its_values(tmp_path, values, log):
  root = swept.write(
    tmp_path / "x", ["mlm"], [f"optimizer.weight_decay={values}"], _metrics
  )
  assert _read(root).factors[0].log == log
