"""--plugins=DIR: files of one's own, found by name, and what is refused."""

import json

import apart
import plugging
import pytest

import lm_jax
from lm_jax import cli, experiments
from lm_jax.evaluation import report as evaluation_report
from lm_jax.objectives.base import Objective
from lm_jax.prompting import template
from lm_jax.support import plugins, registry
from lm_jax.support.errors import UsageError

OBJECTIVE = '''"""Trains as clm does."""

import dataclasses

from lm_jax.objectives import base, clm


@dataclasses.dataclass(frozen=True)
class Mine(clm.CausalLM):
  sharpness: float = base.option(1.5, "how sharp it is")
'''
TEMPLATE = '+++\ndescription = "mine"\nfields = ["text"]\n+++\n{{ text }}\n'
EXPERIMENT = '''"""Is it?"""

from .compare_objectives import BASELINE, SEEDS, runs
'''


@pytest.fixture(autouse=True)
def _forgotten():
  with plugging.forgotten():
    yield


@pytest.fixture
def folder(tmp_path):
  files = {
    "objectives/mine.py": OBJECTIVE,
    "objectives/_beside.py": "",
    "experiments/asked.py": EXPERIMENT,
    "templates/mine.jinja": TEMPLATE,
  }
  for path, text in files.items():
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text(text)
  return tmp_path


def test_names_are_found_beside_those_of_lm_jax(folder, capsys):
  assert cli.main(["list", "objectives"]) == 0
  assert "mine" not in capsys.readouterr().out
  for kind, name in (
    ("objectives", "mine "),
    ("experiments", "asked"),
    ("templates", "mine"),
  ):
    assert cli.main(["list", kind, f"--plugins={folder}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith(name) for line in lines), kind
    assert len(lines) > 2
  cls = registry.find("lm_jax.objectives", "mine", Objective, "--objective")
  assert cls().name == "mine"
  assert experiments.load("asked").BASELINE == "clm"
  assert template.load("mine").description == "mine"


@pytest.mark.parametrize(
  "form", ["--plugins={}", "--plugins {}", "-plugins={}"]
)
def test_help_has_the_options_of_own_objectives(folder, capsys, form):
  assert cli.main(["train", *form.format(folder).split(), "--help"]) == 0
  out = capsys.readouterr().out
  assert "--objective.sharpness" in out and "how sharp it is (mine: 1.5)" in out
  assert "--plugins\n" in out


def test_several_are_given_one_by_one(folder, tmp_path_factory, capsys):
  other = tmp_path_factory.mktemp("other")
  (other / "objectives").mkdir()
  (other / "objectives" / "second.py").write_text(OBJECTIVE)
  words = [f"--plugins={place}" for place in (folder, other, folder)]
  assert cli.main(["list", "objectives", *words]) == 0
  out = capsys.readouterr().out
  assert "mine " in out and "second " in out


def test_python_adds_one_too(folder):
  lm_jax.plugins(folder)
  lm_jax.plugins(str(folder))
  assert "mine" in registry.names("lm_jax.objectives")
  assert evaluation_report.versions()["plugins"] == str(folder.resolve())
  with pytest.raises(UsageError, match="lm_jax.plugins: directory=nothing: "):
    lm_jax.plugins("nothing")


@pytest.mark.parametrize("name", ["", "nowhere", "empty"])
def test_a_directory_without_its_folders_is_refused(
  tmp_path, monkeypatch, capsys, name
):
  monkeypatch.chdir(tmp_path)
  (tmp_path / "empty").mkdir()
  (tmp_path / "objectives").mkdir()  # of the current directory
  assert cli.main(["train", f"--plugins={name}"]) == 2
  error = capsys.readouterr().err
  assert error.startswith(f"lm_jax: --plugins={name}: must be a directory")
  assert error.count("\n") == 1 and "experiments, trackers, templates" in error


@pytest.mark.parametrize(
  "path",
  [
    "objectives/mlm.py",
    "objectives/base.py",
    "objectives/_pairs.py",
    "tasks/topic.py",
    "families/bert.py",
    "adaptation/lora.py",
    "experiments/masking_rate.py",
    "templates/topic.jinja",
  ],
)
def test_a_name_that_lm_jax_has_is_refused(tmp_path, capsys, path):
  (tmp_path / path).parent.mkdir()
  (tmp_path / path).write_text("raise RuntimeError\n")
  assert cli.main(["list", "tasks", f"--plugins={tmp_path}"]) == 2
  error = capsys.readouterr().err
  assert f"--plugins={tmp_path}: {path}: the name is taken by /" in error
  assert error.count("\n") == 1
  assert not plugins.folders(path.partition("/")[0])


def test_a_name_of_another_directory_is_refused(folder, tmp_path_factory):
  other = tmp_path_factory.mktemp("other")
  (other / "objectives").mkdir()
  (other / "objectives" / "mine.py").write_text(OBJECTIVE)
  plugins.add(str(folder))
  with pytest.raises(UsageError, match=f"taken by {folder}/objectives/mine.py"):
    plugins.add(str(other))


@pytest.mark.parametrize(
  ("code", "line", "what"),
  [
    ("import lm_jax\nx = 1 / 0\n", ":2", "ZeroDivisionError: division by zero"),
    ("x = 1\ndef f(:\n", ":2", "SyntaxError: invalid syntax"),
    ("import nothing_like_it\n", ":1", "ModuleNotFoundError: No module named"),
    ("x = 1\n", "", "must define one subclass of Objective, it defines 0"),
  ],
)
def test_a_fault_of_a_file_is_a_line(tmp_path, capsys, code, line, what):
  file = tmp_path / "objectives" / "mine.py"
  file.parent.mkdir()
  file.write_text(code)
  assert cli.main(["train", f"--plugins={tmp_path}"]) == 2
  error = capsys.readouterr().err
  place = f"lm_jax: --plugins={tmp_path}: {file}{line}: {what}"
  assert error.startswith(place) and error.count("\n") == 1


def test_faults_of_lm_jax_itself_are_bugs(tmp_path, monkeypatch):
  def broken(name):
    raise RuntimeError("ours")

  monkeypatch.setattr(registry.importlib, "import_module", broken)
  with pytest.raises(RuntimeError, match="ours"):
    registry.module("lm_jax.objectives", "mlm", "--objective")


def test_an_unknown_name_may_be_one_of_own(capsys):
  assert cli.main(["train", "--objective=mine"]) == 2
  error = capsys.readouterr().err
  assert error.endswith("; one of your own needs --plugins=DIR\n")


def test_a_run_trains_with_processes_that_prepare_data(folder, tiny, tmp_path):
  """They know of no objective, and so of no plugin."""
  (tmp_path / "cache").mkdir()
  (tmp_path / "cache" / "xla").symlink_to(tiny.cache / "xla")
  words = [
    *("train", "--objective=mine", f"--plugins={folder}", "--budget=steps:2"),
    *("--length=32", "--batch_size=4", "--trunk.layers=1", "--trunk.width=32"),
    *("--trunk.heads=2", "--trunk.feedforward=64", "--data.tokenizer=bytes"),
    *(f"--data.corpus={tiny.corpus}", f"--data.cache={tmp_path / 'cache'}"),
    *("--data.workers=2", f"--workdir={tmp_path / 'run'}"),
  ]
  cache = str(tmp_path / "cache")
  apart.python("-m", "lm_jax", *words, LM_JAX_CACHE=cache)
  config = json.loads((tmp_path / "run" / "config.json").read_text())
  assert config["objective_options"] == {"sharpness": 1.5}
