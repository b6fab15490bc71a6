"""What an installed lm_jax is: its files, its name, its command."""

import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import zipfile

import processes
import pytest

import lm_jax
from lm_jax import experiments
from lm_jax.support import invocation
from lm_jax.support.errors import UsageError

ROOT = pathlib.Path(__file__).parents[1]
_BUILD = """
import sys
from setuptools import build_meta
folder = sys.argv[1]  # which they change
build_meta.build_sdist(folder)
build_meta.build_wheel(folder)
"""


def _files(folder):
  found = (p.relative_to(ROOT) for p in (ROOT / folder).rglob("*"))
  return {
    str(path)
    for path in found
    if (ROOT / path).is_file() and "__pycache__" not in path.parts
  }


@pytest.fixture(scope="module")
def built(tmp_path_factory):
  """A wheel and an sdist, made of a copy: a build leaves files behind."""
  place = tmp_path_factory.mktemp("built")
  ignored = shutil.ignore_patterns(
    *(".git", "build", "dist", "*.egg-info", "__pycache__", ".*_cache")
  )

  def ignore(folder, names):
    # What users train lies in runs/ here, beside lm_jax/runs.
    own = {"runs"} if pathlib.Path(folder) == ROOT else set()
    return ignored(folder, names) | own

  shutil.copytree(ROOT, place / "copy", ignore=ignore)
  subprocess.run(
    [sys.executable, "-c", _BUILD, str(place)],
    cwd=place / "copy",
    capture_output=True,
    check=True,
  )
  return place


@pytest.fixture(scope="module")
def installed(built):
  """The folder that the wheel becomes, alone on the path of `call`."""
  [wheel] = built.glob("*.whl")
  with zipfile.ZipFile(wheel) as archive:
    archive.extractall(built / "site")
  return built / "site"


def call(installed, folder, *argv, code=0):
  """`python -m lm_jax` in a folder, of the installed files."""
  env = os.environ | {"PYTHONPATH": str(installed)}
  done = processes.python("-m", "lm_jax", *argv, cwd=folder, env=env)
  assert done.returncode == code, done.stderr
  return done


def test_the_wheel_holds_the_whole_package_and_nothing_beside_it(installed):
  files = {
    str(path.relative_to(installed))
    for path in installed.rglob("*")
    if path.is_file() and ".dist-info" not in str(path)
  }
  shipped = "lm_jax/experiments/shipped"
  own = {
    f"{shipped}{p.removeprefix('experiments')}" for p in _files("experiments")
  }
  assert files == _files("lm_jax") | own


def test_what_the_wheel_says_of_itself(installed):
  [about] = installed.glob("*.dist-info")
  text = (about / "METADATA").read_text()
  assert f"\nVersion: {lm_jax.__version__}\n" in text
  assert "\nLicense: Apache-2.0\n" in text
  assert "\nKeywords: " in text and "\nClassifier: " in text
  assert (about / "top_level.txt").read_text() == "lm_jax\n"
  entry = (about / "entry_points.txt").read_text()
  assert entry == "[console_scripts]\nlm_jax = lm_jax.__main__:main\n"
  license_ = (about / "licenses" / "LICENSE").read_text()
  assert "Apache License" in license_ and len(license_) > 10_000


def test_the_version_is_said_once():
  said = [
    path.name
    for path in (ROOT / "setup.cfg", ROOT / "pyproject.toml", ROOT / "setup.py")
    if f" {lm_jax.__version__}" in path.read_text().replace('"', " ")
  ]
  assert said == []


def test_the_sdist_holds_all_that_a_checkout_needs(built):
  [path] = built.glob("*.tar.gz")
  with tarfile.open(path) as archive:
    names = {n.partition("/")[2] for n in archive.getnames()}
  for folder in ("lm_jax", "experiments", "tests", "docs", "benchmarks"):
    assert _files(folder) <= names
  root = ("launch.py", "LICENSE", "CITATION.cff", "README.md", "CHANGELOG.md")
  assert {*root, "CONTRIBUTING.md", "setup.cfg"} <= names
  assert {".ci/run", ".ci/parity"} <= names


def test_installed_it_finds_its_experiments_and_the_users(installed, tmp_path):
  done = call(installed, tmp_path, "--version")
  assert done.stdout == f"lm_jax {lm_jax.__version__}\n"
  assert (
    "masking_rate" in call(installed, tmp_path, "list", "experiments").stdout
  )
  own = tmp_path / "experiments"
  own.mkdir()
  (own / "shared.py").write_text("SEEDS = 1\n")
  (own / "mine.py").write_text(
    '"""Is mine found?"""\n'
    "from experiments.shared import SEEDS\n"
    "from .compare_objectives import *\n"
  )
  (own / "masking_rate.py").write_text(
    '"""The one of the user?"""\nBASELINE, SEEDS = "x", 1\ndef runs():\n'
    "  return []\n"
  )
  listed = call(installed, tmp_path, "list", "experiments").stdout
  assert "Is mine found?" in listed
  assert "The one of the user?" in listed and "shared" not in listed
  command = ["compare", "--experiment=experiments/mine.py", "--baseline=x"]
  done = call(installed, tmp_path, *command, code=2)
  assert "--baseline=x: unknown" in done.stderr and "clm" in done.stderr


def _experiment(folder, name, text):
  path = folder / f"{name}.py"
  path.parent.mkdir(exist_ok=True)
  path.write_text(text)
  return str(path)


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("def runs(:", "bad.py, line 1: "),
    ("import nowhere_at_all\ndef runs(): ...", "can't be imported: No module"),
    ("SEEDS = 1\ndef runs(): ...", "bad.py has no BASELINE"),
  ],
)
def test_a_file_that_is_no_experiment_is_one_line(tmp_path, text, message):
  path = _experiment(tmp_path, "bad", text)
  with pytest.raises(UsageError) as raised:
    experiments.load(path)
  assert message in str(raised.value)


def test_an_experiment_of_another_directory_is_another_one(
  tmp_path, monkeypatch
):
  for number in (1, 2):
    text = f"BASELINE, SEEDS = 'a', {number}\ndef runs():\n  return []\n"
    monkeypatch.chdir(tmp_path)
    (tmp_path / str(number)).mkdir()
    monkeypatch.chdir(tmp_path / str(number))
    _experiment(pathlib.Path("experiments"), "twice", text)
    found = experiments.load("twice")
    assert number == found.SEEDS
  monkeypatch.chdir(tmp_path)
  with pytest.raises(UsageError, match="--experiment=twice: unknown"):
    experiments.load("twice")
  with pytest.raises(UsageError, match="no such file"):
    experiments.load("experiments/twice.py")


@pytest.mark.parametrize(
  ("called", "line"),
  [
    ("/opt/bin/lm_jax", "lm_jax list"),
    ("/x/lm_jax/__main__.py", "python -m lm_jax list"),
    ("launch.py", "python launch.py list"),
  ],
)
def test_help_names_the_program_as_it_was_called(called, line, monkeypatch):
  monkeypatch.setattr(sys, "argv", [called])
  assert invocation.line(["list"]) == line


def test_citation_has_what_the_format_requires():
  text = (ROOT / "CITATION.cff").read_text()
  for key in ("cff-version", "message", "title", "authors", "license"):
    assert f"\n{key}: " in f"\n{text}" or f"\n{key}:\n" in text
