"""Plans are stored before the first run, and seal what our commands show."""

import json
import pathlib
import re
import sys

import fake_runs
import json_files
import numpy as np
import pytest
import tiny as training

import lm_jax
from lm_jax import cli, experiments
from lm_jax.report import collect, preregistered
from lm_jax.runs import looks, preregistration
from lm_jax.support.errors import UsageError

FILE = '''"""Is mlm better than clm?"""
from lm_jax.config import Config

BASELINE = "clm"
SEEDS = 3
PRIMARY = "minimal_pairs"
SMALLEST_EFFECT = 2


def runs():
  return [Config(objective=o, arm=o, size="nano") for o in ("clm", "mlm")]
'''
MEANS = {"clm": 0.9137, "mlm": 0.9137}


class Runs(fake_runs.FakeRuns):
  """Fake runs with a primary measure; they note the plan that they saw."""

  def __init__(self):
    super().__init__()
    self.plans, self.means = [], dict(MEANS)

  def execute(self, config, progress=True):
    root = pathlib.Path(config.workdir).parents[1]
    self.plans.append(
      json_files.read(root / "experiment.json").get("preregistered")
    )
    result = super().execute(config, progress)
    rng = np.random.default_rng([config.seed, *config.arm.encode()])
    value = self.means[config.arm] + 1e-4 * rng.normal()
    result["metrics"] = {"minimal_pairs": value, "probe/era": 0.5}
    path = pathlib.Path(config.workdir)
    if result["status"] == "done":
      (path / "result.json").write_text(json.dumps(result))
    row = {"step": 1, "validation_loss": 3.0, "loss": 3.0, "flops": 1e9}
    line = json.dumps(row | {"minimal_pairs": value})
    (path / "metrics.jsonl").write_text(line + "\n")
    return result


@pytest.fixture
def run(tmp_path, monkeypatch):
  fake = Runs()
  monkeypatch.setattr("lm_jax.runs.comparison.Run", fake.run)
  monkeypatch.setattr("lm_jax.runs.spends.is_open", lambda _: False)
  monkeypatch.chdir(tmp_path)
  write()
  return fake


def write(old="", new=""):
  path = pathlib.Path("experiments", "mine.py")
  path.parent.mkdir(exist_ok=True)
  path.write_text(FILE.replace(old, new) if old else FILE)
  sys.modules.pop("lm_jax.experiments.mine", None)  # of another call


def compare(*words):
  # In this process, where runs are fake.
  words = ("--experiment=mine", "--workdir=out", "--parallel=1", *words)
  return cli.main(["compare", *words])


def about():
  return json_files.read(pathlib.Path("out", "experiment.json"))


def test_the_plan_is_stored_before_the_first_run_and_never_again(run):
  assert compare() == 0
  plan = about()["preregistered"]
  assert run.plans == [plan] * 6
  assert (plan["primary"], plan["smallest_effect"]) == ("minimal_pairs", 2)
  assert (plan["direction"], plan["seeds"], plan["looks"]) == (
    "two-sided",
    3,
    [],
  )
  assert plan["arms"] == ["clm", "mlm"] and plan["runs_before"] == 0
  assert plan["digest"] == preregistered.digest(plan)
  assert compare() == 0
  assert about()["preregistered"] == plan
  experiment = collect.load("out")
  assert experiment.seal.whole and experiment.deviations() == []


def test_a_changed_field_is_one_line_and_exploratory_only(run, capsys):
  assert compare() == 0
  plan = about()["preregistered"]
  write("EFFECT = 2", "EFFECT = 0.5")
  capsys.readouterr()
  assert compare() == 2
  said = capsys.readouterr().err
  assert said.count("\n") == 1
  assert "SMALLEST_EFFECT changed: 2 -> 0.5 (preregistered on" in said
  assert "with that the result is exploratory; set it back" in said
  assert len(run.configs) == 6
  assert compare("--exploratory") == 0
  assert "SMALLEST_EFFECT changed: 2 -> 0.5" in capsys.readouterr().err
  assert about()["preregistered"] == plan
  assert "Exploratory: " in pathlib.Path("out", "report.md").read_text()
  write()
  assert compare() == 0
  assert "Confirmatory: " in pathlib.Path("out", "report.md").read_text()


def test_a_plan_that_comes_after_runs_is_exploratory(run):
  write('PRIMARY = "minimal_pairs"\nSMALLEST_EFFECT = 2\n', "")
  assert compare() == 0
  assert "preregistered" not in about()
  write()
  assert compare() == 0
  assert collect.load("out").deviations() == [
    "6 runs were done before it was stated"
  ]


def test_what_is_exploratory_from_the_first_has_no_plan_and_no_seal(
  run, capsys
):
  assert compare("--exploratory", "--seeds=1") == 0
  assert "preregistered" not in about()
  assert secrets(capsys.readouterr().out)


def test_fewer_seeds_than_the_plan_stay_sealed(run, capsys):
  assert compare("--seeds=1") == 0
  out = capsys.readouterr().out
  assert "Sealed: 2 of 6 runs done" in out and not secrets(out)


@pytest.mark.parametrize(
  ("old", "new", "text"),
  [
    ('"minimal_pairs"', '"minimal_pear"', "PRIMARY='minimal_pear': must be a"),
    ('"minimal_pairs"', '"bits_per_byte_bound"', "must be a measure that"),
    ("EFFECT = 2", "EFFECT = 0", "SMALLEST_EFFECT=0: must be a number above 0"),
    ("EFFECT = 2", 'EFFECT = 2\nDIRECTION = "up"', "DIRECTION='up': must be"),
    ("EFFECT = 2", "EFFECT = 2\nLOOKS = (2, 3)", "LOOKS=(2, 3): must be"),
    ("EFFECT = 2", "EFFECT = 2\nLOOKS = (3, 5)", "must end with SEEDS, 3"),
    ("SEEDS = 3", "SEEDS = 2", "SEEDS=2: with PRIMARY it must be at least 3"),
    ('PRIMARY = "minimal_pairs"\n', "", "SMALLEST_EFFECT: is for a"),
  ],
)
def test_fields_that_make_no_plan_are_one_line(run, capsys, old, new, text):
  write(old, new)
  assert compare() == 2
  said = capsys.readouterr().err
  assert said.count("\n") == 1 and text in said
  assert not pathlib.Path("out").exists() and not run.configs


def secrets(text):
  return re.findall(r"91\.[34]|0\.913", text)


def test_no_command_shows_the_primary_measure_before_all_runs_are_done(
  run, capsys
):
  run.outcomes["mlm-seed2"] = "interrupted"
  assert compare() == 75
  commands = (
    ["report", "--workdir=out"],
    ["compare", "--experiment=mine", "--workdir=out", "--status"],
    ["report", "--workdir=out/runs/clm-seed0"],
    ["evaluate", "--model=out/runs/clm-seed0", "--tasks=minimal_pairs"],
    ["evaluate", "--model=out/runs/clm-seed0"],
  )
  said = []
  for words in commands:
    cli.main(words)
    said.append("".join(capsys.readouterr()))
    assert not secrets(said[-1]), words
  assert "Sealed: 5 of 6 runs done" in said[0]
  assert "clm-seed0" in said[1]
  for text in said[3:]:
    assert "minimal_pairs is sealed: 5 of 6 runs done" in text
  for path in pathlib.Path("out").glob("report.*"):
    assert not secrets(
      re.sub("<svg.*?</svg>", "", path.read_text(), flags=re.S)
    )
  results = lm_jax.results("out")
  for table in (results, results.arms):
    assert "probe/era" in table and "minimal_pairs" not in table
  assert "minimal_pairs" not in lm_jax.results("out/runs/clm-seed0")
  # All are done: now it is shown, so the test can tell.
  run.outcomes.clear()
  assert compare() == 0
  assert secrets(capsys.readouterr().out)
  cli.main(commands[1])
  assert secrets(capsys.readouterr().out)
  assert "minimal_pairs" in lm_jax.results("out")


def test_train_of_one_run_by_hand_does_not_tell_it(run, capsys, monkeypatch):
  from lm_jax.commands import train

  run.outcomes["mlm-seed2"] = "interrupted"
  compare()
  capsys.readouterr()
  config = run.configs[0]
  result = json_files.read(pathlib.Path(config.workdir, "result.json"))
  train.tell(config, result | {"ledger": {}})
  out, err = capsys.readouterr()
  assert not secrets(out) and "50.0" in out
  assert "minimal_pairs is sealed: 5 of 6 runs done" in err


def test_predictions_of_a_sealed_run_are_refused(run):
  from lm_jax.evaluation import paired_predictions

  run.outcomes["mlm-seed2"] = "interrupted"
  compare()
  path = pathlib.Path("out", "runs", "clm-seed0", "predictions.jsonl")
  path.write_text('{"task": "minimal_pairs", "id": "0", "score": 1.0}\n')
  with pytest.raises(UsageError, match="minimal_pairs is sealed: 5 of 6"):
    paired_predictions.load(str(path), "--predictions", "clm")


def test_a_look_stops_where_every_arm_has_a_verdict(run):
  write("SEEDS = 3\n", "SEEDS = 5\nLOOKS = (3, 4, 5)\n")
  run.means["mlm"] = 0.95
  assert compare("--seeds=3") == 0
  found = looks.look("out", about()["preregistered"], 3)
  assert (found.stop, found.seeds, found.following) == (True, 3, None)
  assert found.verdicts == {"mlm": "better than clm"}
  assert found.text() == "look at 3 seeds: mlm: better than clm; stops"
  with pytest.raises(UsageError, match="2 seeds: are no look .* valid: 3, 4"):
    looks.look("out", about()["preregistered"], 2)
  with pytest.raises(UsageError, match="minimal_pairs is sealed: 6 of 8"):
    looks.look("out", about()["preregistered"], 4)


def test_a_look_goes_on_where_nothing_is_shown(run):
  # The margin is below the spread.
  write("SEEDS = 3\nPRIMARY", "SEEDS = 4\nLOOKS = (3, 4)\nPRIMARY")
  path = pathlib.Path("experiments", "mine.py")
  path.write_text(path.read_text().replace("EFFECT = 2", "EFFECT = 0.001"))
  assert compare() == 0
  assert len(run.configs) == 2 * 4
  assert "stopped" not in about()
  plan = about()["preregistered"]
  first = looks.look("out", plan, 3)
  assert (first.stop, first.following) == (False, 4)
  assert first.verdicts == {"mlm": "inconclusive"}
  assert looks.look("out", plan, 4).stop


def test_a_stored_plan_needs_its_fields(run):
  module = experiments.load("mine")
  fields = preregistration.fields(module)
  assert fields["direction"] == "two-sided" and fields["baseline"] == "clm"
  assert preregistration.deviations({}) == []


def test_a_preregistered_run_measures_it_at_the_end_alone(
  tiny, tmp_path, capsys
):
  """Not on its way, where a bar and curves would show it."""
  plan = {"primary": "minimal_pairs", "smallest_effect": None}
  plan |= {"direction": "two-sided", "seeds": 3, "looks": []}
  plan |= {"baseline": "clm", "arms": ["clm"], "budgets": {}}
  runs = [{"name": "clm-0", "arm": "clm", "seed": 0}]
  content = {"name": "mine", "baseline": "clm", "runs": runs}
  sealed, plain = tmp_path / "sealed", tmp_path / "plain"
  for root, more in ((sealed, {"preregistered": plan}), (plain, {})):
    (root / "runs").mkdir(parents=True)
    (root / "experiment.json").write_text(json.dumps(content | more))
  results = {}
  for root in (sealed, plain):
    config = tiny.config(root / "runs" / "clm-0", seed=0)
    results[root] = training.pretrain(config)
    logged = training.metrics(config.workdir)
    on_its_way = any("minimal_pairs" in row for row in logged)
    assert on_its_way == (root == plain)
    assert any("validation_loss" in row for row in logged)
  # The end is the same, but for what was said before.
  assert results[sealed]["digest"] == results[plain]["digest"]
  assert results[sealed]["metrics"] == results[plain]["metrics"]
  assert "minimal_pairs" in results[sealed]["metrics"]


def test_an_experiment_stops_at_the_look_that_decides(run, capsys):
  """Equal arms are equivalent within two points at the first look."""
  write("SEEDS = 3\nPRIMARY", "SEEDS = 6\nLOOKS = (3, 4, 6)\nPRIMARY")
  assert compare() == 0
  assert len(run.configs) == 2 * 3
  printed = capsys.readouterr()
  assert "look at 3 seeds: mlm: equivalent" in printed.err
  assert "stops" in printed.err
  assert about()["stopped"] == 3
  text = pathlib.Path("out/report.md").read_text()
  assert "It stopped at the look at 3 seeds" in text
  # The same call again runs nothing more.
  assert compare() == 0
  assert len(run.configs) == 2 * 3
