import dataclasses
import importlib
import json
import pathlib
import shlex
import sys

import matplotlib.figure
import numpy as np
import processes
import pytest

import lm_jax
from lm_jax import cli
from lm_jax.api import experiments, figures, keywords, results
from lm_jax.commands import compare, flags, train
from lm_jax.statistics import items
from lm_jax.support.errors import UsageError

TRAIN, COMPARE = train.schema(), compare.schema()


def test_what_is_public_is_listed_and_costs_nothing():
  code = (
    "import sys, lm_jax; print(*dir(lm_jax)); "
    "print({'jax', 'numpy', 'pandas'} & set(sys.modules)); "
    "[getattr(lm_jax, name) for name in dir(lm_jax)]; "
    "print(callable(lm_jax.compare), {'pandas', 'matplotlib', 'absl.flags'}"
    " & set(sys.modules))"
  )
  out = processes.python("-c", code).stdout.splitlines()
  public = {"train", "finetune", "compare", "evaluate", "results", "plot"}
  assert public | {"load", "LanguageModel", "UsageError"} <= set(out[0].split())
  assert out[1] == "set()"
  # No command line: its flags would be those of the notebook's own process.
  assert out[2].startswith("True ")
  assert "pandas" not in out[2]
  assert "matplotlib" not in out[2]
  with pytest.raises(AttributeError, match="no attribute 'nothing'"):
    lm_jax.nothing  # noqa: B018


def test_keywords_are_the_flags_that_the_terminal_takes():
  given = {
    "objective": "mlm",
    "objective_options": {"rate": 0.3, "dynamic": False},
    "optimizer": {"learning_rate": 1e-3, "name": "adamw"},
    "data": {"corpus": pathlib.Path("books")},
    "trunk": {"layers": np.int64(3), "bias": True},
    "allow_change": "data",
    "seed": 3,
  }
  argv = [
    *("--objective=mlm", "--objective.rate=0.3", "--noobjective.dynamic"),
    *("--optimizer.learning_rate=0.001", "--optimizer.name=adamw"),
    *("--data.corpus=books", "--trunk.layers=3", "--trunk.bias"),
    *("--allow_change=data", "--seed=3"),
  ]
  assert keywords.flags("train", TRAIN, given) == flags.parse(
    "train", TRAIN, argv
  )


def test_a_sweep_is_a_dict_of_flags_and_their_values():
  sweep = {"optimizer.learning_rate": (1e-3, 3e-3), "data.corpus": ["a,b", "c"]}
  given = {"objectives": ["mlm", "rtd"], "sweep": sweep, "seeds": 2}
  found = keywords.flags("compare", COMPARE, given)
  command = keywords.command_line("compare", found)
  assert flags.parse("compare", COMPARE, command[3:]) == found
  assert shlex.join(command[3:5]) == (
    "--objectives=mlm,rtd '--sweep=optimizer.learning_rate=0.001,0.003'"
  ).replace("'", "")
  assert found["sweep"][1] == 'data.corpus="a,b",c'
  linked = {("size", "optimizer.learning_rate"): [("nano", 4e-3), ("tiny", 1)]}
  found = keywords.flags("compare", COMPARE, {"sweep": linked})
  assert found["sweep"] == ["size+optimizer.learning_rate=nano+0.004,tiny+1"]
  ranges = {"mlm/objective.rate": "0.1:0.5:linear:3"}
  found = keywords.flags("compare", COMPARE, {"sweep": ranges})
  assert found["sweep"] == ["mlm/objective.rate=0.1:0.5:linear:3"]
  with pytest.raises(UsageError, match=r"\('nano',\): must have 2 values"):
    keywords.flags("compare", COMPARE, {"sweep": {("a", "b"): [("nano",)]}})
  one = keywords.flags("compare", COMPARE, {"objectives": "mlm"})
  assert one == {"objectives": ["mlm"]}


@pytest.mark.parametrize(
  ("given", "message"),
  [
    ({"sise": "nano"}, "train: sise: no such option; did you mean size or"),
    ({"learning_rate": 1}, r'did you mean optimizer=\{"learning_rate": \.\.\.'),
    ({"optimizer.clip": 1}, r'optimizer\.clip: is given as optimizer=\{"clip"'),
    ({"optimizer": {"clp": 1}}, r'optimizer=\{"clp".*mean optimizer=\{"clip"'),
    ({"optimizer": "adam"}, "optimizer='adam': must be a dict of its options"),
    ({"length": 1.5}, "train: length=1.5: must be a whole number"),
    ({"length": "128"}, "length='?128'?: must be a whole number"),
    ({"length": True}, "length=True: must be a whole number"),
    ({"size": None}, "size=None: must be text, a number"),
    ({"dtype": "float16"}, "train: dtype=float16: unknown"),
    ({"size": "tinny"}, "--size=tinny: unknown; did you mean tiny"),
    ({"objective_options": {"rate": 0.3}}, "clm has no such option"),
    ({"trunk": {"heads": 5}}, "--trunk.heads=5: must divide"),
  ],
)
def test_bad_keywords_are_told_in_a_line_and_nothing_is_written(
  given, message, tmp_path, monkeypatch
):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(UsageError, match=message) as raised:
    experiments.train(**given)
  assert "\n" not in str(raised.value)
  assert not list(tmp_path.iterdir())


def test_bad_comparisons_are_told_in_a_line(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  for given, message in (
    ({"sweep": "seed"}, "compare: sweep='seed': must be a dict"),
    ({"sweep": {"batch": 8}}, "--sweep=batch"),
    ({"sweep": {"batch_size": [8, None]}}, "batch_size=None: must be text"),
    ({"objectives": ["mlm", "a,b"]}, "must have no comma"),
    ({"seeds": -1}, "--seeds=-1: must be a number of seeds"),
    ({"objective": "mlm"}, "objective: no such option; did you mean objectiv"),
  ):
    with pytest.raises(UsageError, match=message):
      experiments.compare(**given)
  assert not list(tmp_path.iterdir())


def _keywords(config, **changes):
  """The keyword arguments that ask for a configuration."""
  names = ("size", "length", "batch_size", "budget", "trunk", "workdir")
  names += ("log_every", "eval_every", "checkpoint_every")
  given = {name: getattr(config, name) for name in names}
  data = dataclasses.asdict(config.data)
  data = {name: data[name] for name in ("corpus", "tokenizer", "sentinels")}
  return given | {"data": data | {"cache": config.data.cache}} | changes


def test_train_reuses_a_run_that_is_complete(finished):
  run = experiments.train(progress=False, **_keywords(finished))
  result = json.loads(pathlib.Path(run.directory, "result.json").read_text())
  assert run.directory == finished.workdir
  assert (run.status, run.error, run.step) == ("done", "", 6)
  assert run.metrics == result["metrics"]
  assert run.ledger["steps"] == 6
  assert [line["step"] for line in run.history()][-1] == 6
  with pytest.raises(UsageError, match=r"length: 32 -> 16"):
    experiments.train(**_keywords(finished, length=16))


def test_a_runs_table_and_figure(finished):
  table = results.results(finished.workdir)
  result = json.loads(pathlib.Path(finished.workdir, "result.json").read_text())
  (row,) = table.rows
  assert (row["arm"], row["seed"], row["size"]) == ("clm", 0, "nano")
  assert (row["budget"], row["parameters"]) == ("steps:6", result["parameters"])
  assert row["minimal_pairs"] == result["metrics"]["minimal_pairs"]
  figure = figures.plot(finished.workdir)
  assert isinstance(figure, matplotlib.figure.Figure)


def test_two_commands_show_the_same_numbers(finished, capsys):
  given = keywords.flags("train", TRAIN, _keywords(finished))
  assert cli.main(keywords.command_line("train", given)[2:]) == 0
  trained = [line.split() for line in capsys.readouterr().out.splitlines()]
  assert cli.main(["evaluate", f"--model={finished.workdir}"]) == 0
  out = capsys.readouterr().out
  measured = [line.split() for line in out.splitlines() if line[0] == " "]
  assert measured
  assert all(line in trained for line in measured)


@pytest.fixture(scope="module")
def swept(tiny, tmp_path_factory):
  """An experiment of two learning rates."""
  directory = str(tmp_path_factory.mktemp("swept") / "experiment")
  given = _keywords(tiny.config(), workdir=directory, budget="steps:2")
  return experiments.compare(
    progress=False,
    objectives="clm",
    seeds=1,
    sweep={"optimizer.learning_rate": [1e-3, 3e-3]},
    **given,
  )


def test_compare_gives_what_the_terminal_would(swept, capsys):
  names = [f"clm-learning_rate={rate}-seed0" for rate in ("0.001", "0.003")]
  assert swept.statuses == dict.fromkeys(names, "done")
  about = json.loads(
    pathlib.Path(swept.directory, "experiment.json").read_text()
  )
  # What is on record is a command that finds everything complete.
  assert cli.main(shlex.split(about["command"])[2:]) == 0
  out, err = capsys.readouterr()
  assert "2 of 2 runs are complete and reused" in err
  assert out.strip() == swept.report().strip()
  assert swept.load(names[1]).config.optimizer.learning_rate == 3e-3
  with pytest.raises(UsageError, match="load: name=clm: unknown"):
    swept.load("clm")


def test_an_experiments_table_has_the_swept_values(swept):
  table = swept.results()
  assert table["learning_rate"] == [1e-3, 3e-3]
  assert table["size"] == ["nano", "nano"]
  assert set(table["budget"]) == {"steps:2"}
  assert "trunk.layers" not in table  # the same in both
  for row in table.rows:
    path = pathlib.Path(swept.directory, "runs", row["name"], "result.json")
    result = json.loads(path.read_text())
    assert row["steps"] == 2
    assert row["minimal_pairs"] == result["metrics"]["minimal_pairs"]
    known = items.item_interval(np.array(result["items"]["minimal_pairs"]))
    ends = row["minimal_pairs_low"], row["minimal_pairs_high"]
    assert ends == (known.low, known.high)
  by_arm = table.arms
  arms = [n.removesuffix("-seed0") for n in sorted(swept.statuses)]
  assert by_arm["arm"] == arms
  assert by_arm["learning_rate"] == [1e-3, 3e-3]
  assert [x is None for x in by_arm["difference_verdict"]] == [True, False]
  assert swept.plot("curves_flops").axes[0].lines


def test_what_is_no_result_is_told_in_a_line(tmp_path, finished, monkeypatch):
  for call, message in (
    (lambda: results.results(tmp_path), "holds no experiment, run, evaluation"),
    (lambda: figures.plot(tmp_path / "x"), "plot: directory=.*x: holds no"),
    (lambda: figures.plot(finished.workdir, "curve"), "figure=curve: unknown"),
    (lambda: figures.plot(finished.workdir, "differences"), "can be drawn"),
  ):
    with pytest.raises(UsageError, match=message):
      call()
  monkeypatch.setitem(sys.modules, "pandas", None)
  with pytest.raises(UsageError, match=r"pip install 'lm_jax\[pandas\]'"):
    results.results(finished.workdir).to_pandas()


def test_every_public_name_has_help():
  for name, module in lm_jax._PUBLIC.items():
    found = getattr(importlib.import_module(f"lm_jax.{module}"), name)
    assert found.__doc__, name
