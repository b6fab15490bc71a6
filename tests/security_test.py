"""Nothing of a user's files is executed, and no name in them leads outside."""

import ast
import json
import os
import pathlib
import shutil

import numpy as np
import plugging
import processes
import pytest

from lm_jax import cli
from lm_jax.data import tfds_features_check
from lm_jax.support import file_names, plugins
from lm_jax.support.errors import UsageError

ROOT = pathlib.Path(__file__).parents[1]
PARTS = (
  "launch.py",
  "lm_jax/**/*.py",
  "experiments/*.py",
  "benchmarks/**/*.py",
)
FILES = sorted({path for part in PARTS for path in ROOT.glob(part)})

# To load such a file is to run it.
PICKLES = {
  *("pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib"),
  *("marshal", "shelve", "runpy"),
}
# Names of calls that run a text, or what a file holds, or write where an
# archive says.
RUNS = {"eval", "exec", "compile", "__import__", "execfile", "os.system"}
ATTRIBUTES = {
  *("popen", "extractall", "unpack_archive", "read_pickle"),
  *("unsafe_load", "full_load", "import_module", "spec_from_file_location"),
}
# Where a name is looked up in a list of our own files, or of TFDS's.
IMPORTERS = {
  "lm_jax/__init__.py": "only files of its own, by its table",
  "lm_jax/cli.py": "only commands of its table",
  "lm_jax/support/registry.py": "only files that stand in the package, or in a"
  " directory that --plugins of a command names",
  "lm_jax/support/plugins.py": "only packages of its table",
  "lm_jax/data/catalog.py": "only files that stand in tensorflow_datasets",
  "lm_jax/data/own_builders.py": "only what --data.corpus of a command names",
  "lm_jax/support/optional.py": "only libraries that our own files name",
  "lm_jax/sandbox/sandbox_child.py": "only standard modules, before it runs",
}
# What a model wrote runs on request, in a process that is shut in.
RUNNERS = {"lm_jax/sandbox/sandbox_child.py": {"exec", "compile"}}


def _faults(tree):
  """What a module does that it must not, as (line, what)."""
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      named = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
      named = [f"{node.module}.{alias.name}" for alias in node.names]
    else:
      named = []
    for name in named:
      if PICKLES & set(name.split(".")):
        yield node.lineno, f"imports {name}"
    if not isinstance(node, ast.Call):
      continue
    called = ast.unparse(node.func)
    owner, _, last = called.rpartition(".")
    keywords = {k.arg: ast.unparse(k.value) for k in node.keywords}
    constant = node.args and isinstance(node.args[0], ast.Constant)
    if last == "import_module" and constant:
      continue
    if called in RUNS or last in ATTRIBUTES:
      yield node.lineno, called
    elif called in ("np.load", "numpy.load", "jnp.load"):
      if keywords.get("allow_pickle", "False") != "False":
        yield node.lineno, f"{called} of pickles"
    elif last == "load" and owner in ("torch", "yaml", "joblib", "marshal"):
      yield node.lineno, called
    elif keywords.get("shell", "False") != "False":
      yield node.lineno, f"{called} in a shell"


def test_nothing_loads_pickles_or_runs_texts():
  found = []
  for path in FILES:
    name = str(path.relative_to(ROOT))
    for line, what in _faults(ast.parse(path.read_text())):
      if "import_module" in what and name in IMPORTERS:
        continue
      if what in RUNNERS.get(name, ()):
        continue
      found.append(f"{name}:{line}: {what}")
  assert found == []


@pytest.mark.parametrize(
  "text",
  [
    "import pickle",
    "from six.moves import cPickle",
    "def f():\n  import dill as json",
    "eval(x)",
    "__import__(x)",
    "importlib.import_module(x)",
    "np.load(x, allow_pickle=True)",
    "torch.load(x)",
    "yaml.load(x)",
    "subprocess.run(x, shell=True)",
    "os.system(x)",
    "tarfile.open(x).extractall()",
    "shutil.unpack_archive(x)",
  ],
)
def test_the_rules_see_what_they_forbid(text):
  assert list(_faults(ast.parse(text)))


def test_the_rules_let_others_pass():
  text = "re.compile(x); np.load(x); subprocess.run([x]); platform.system()"
  assert not list(_faults(ast.parse(text)))


def _plant(folder, name):
  """A module that leaves a file behind when it is imported."""
  (folder / f"{name}.py").write_text(
    f"import pathlib\npathlib.Path({str(folder / 'RAN')!r}).touch()\n"
  )


@pytest.mark.parametrize("form", ["now", "before", "nested", "snake", "text"])
def test_a_data_set_cannot_name_a_module_to_be_run(tmp_path, form):
  """The directory of $TFDS_DATA_DIR is somebody else's."""
  _plant(tmp_path, "planted")
  evil = {"pythonClassName": "planted.Feature", "text": {}}
  own = "tensorflow_datasets.core.features.features_dict.FeaturesDict"
  content = {
    "now": evil,
    "before": {"type": "planted.Feature", "content": {}},
    "nested": {
      "pythonClassName": own,
      "featuresDict": {"features": {"type": evil}},
    },
    "snake": {"python_class_name": "planted.Feature", "text": {}},
    "text": {
      "pythonClassName": own,
      "jsonFeature": {
        "json": json.dumps(
          {"text": {"type": "planted.Feature", "content": "{}"}}
        )
      },
    },
  }[form]
  folder = tmp_path / "data" / "wikipedia" / "evil" / "1.0.0"
  folder.mkdir(parents=True)
  (folder / "features.json").write_text(json.dumps(content))
  (folder / "dataset_info.json").write_text(
    json.dumps({"name": "wikipedia", "configName": "evil", "version": "1.0.0",
                "fileFormat": "array_record", "splits": []})
  )  # fmt: skip
  script = """
import sys
sys.path.insert(0, sys.argv[1])
if sys.argv[2] == "unguarded":
  from lm_jax.data import tfds_features_check
  tfds_features_check.check = lambda folder: None
from lm_jax.data.corpus import open_corpus
from lm_jax.data.options import DataOptions
open_corpus(DataOptions(corpus="wikipedia/evil"))
"""

  def run(how):
    env = os.environ | {"TFDS_DATA_DIR": str(tmp_path / "data")}
    done = processes.python("-c", script, str(tmp_path), how, env=env)
    return done.stderr.splitlines()[-1], (tmp_path / "RAN").exists()

  with pytest.raises(UsageError, match=r"features.json: names the class 'plan"):
    tfds_features_check.check(tmp_path / "data" / "wikipedia")
  if form == "now":  # the others take the same way
    line, ran = run("guarded")
    assert not ran and "features.json: names the class 'planted" in line
    assert run("unguarded")[1], "TFDS has changed: the guard tests nothing"


def test_a_data_set_of_tfds_itself_is_let_through(tmp_path):
  import tensorflow_datasets as tfds

  tfds.features.FeaturesDict(
    {
      "text": tfds.features.Text(),
      "type": tfds.features.ClassLabel(names=["a", "b"]),
      "json": tfds.features.Sequence({"x": tfds.features.Scalar(np.int32)}),
      "pair": tfds.features.Translation(("de", "en")),
    }
  ).save_config(tmp_path)
  tfds_features_check.check(tmp_path)


def test_code_beside_a_run_or_in_the_directory_does_not_run(
  finished, tmp_path, monkeypatch, capsys
):
  """Only --plugins has it run: no model, run or configuration names any."""
  run = tmp_path / "run"
  shutil.copytree(finished.workdir, run)
  config = json.loads((run / "config.json").read_text())
  for folder in (run, tmp_path):
    for kind in (*plugins.PACKAGES, "templates"):
      (folder / kind).mkdir()
      _plant(folder / kind, "planted")
  monkeypatch.chdir(tmp_path)
  evaluate = ["evaluate", f"--model={run}", "--tasks=planted"]
  for change in (
    {"objective": "planted"},
    {"adapt": {"method": "planted"}},
    {"plugins": [str(tmp_path)]},
    {},
  ):
    (run / "config.json").write_text(json.dumps(config | change))
    assert cli.main(evaluate) == 2
    assert cli.main(["train", "--objective=planted", "--workdir=w"]) == 2
  error = capsys.readouterr().err
  assert error.count("planted: unknown") >= 4 and "Traceback" not in error
  ran = [*tmp_path.rglob("RAN")]
  assert ran == []
  with plugging.forgotten():
    assert cli.main(["train", "--help", f"--plugins={tmp_path}"]) == 2
  assert [*tmp_path.rglob("RAN")]  # so there was something to run


@pytest.mark.parametrize(
  "text", ["../../x", "/etc/passwd", "..", ".", "a/../../b", "a\\b", "", "-x"]
)
def test_what_an_arm_is_called_names_one_file(text):
  name = file_names.safe(text)
  assert pathlib.Path("runs", name).resolve().parent == (
    pathlib.Path("runs").resolve()
  )
  assert "/" not in name and name not in ("", ".", "..")
