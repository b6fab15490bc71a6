"""Faults of an experiment's file are one line that names file and line."""

import dataclasses

import pytest

from lm_jax import experiments
from lm_jax.runs import comparison
from lm_jax.runs.experiment_flags import ExperimentFlags
from lm_jax.support.errors import UsageError

HEAD = "from lm_jax.config import Config\nBASELINE, SEEDS = 'a', 1\n"


def fault(tmp_path, text):
  """The one line that a file's text leads to, without flag and folder."""
  path = tmp_path / "mine.py"
  path.write_text(text)
  with pytest.raises(UsageError) as raised:
    experiments.load(str(path)).runs()
  message = str(raised.value)
  assert message.startswith(f"--experiment={path}: {path}, line ")
  assert message.isprintable()
  return message.partition(", line ")[2]


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("import sys\n\nsys.exit(3)", "3: SystemExit: 3"),
    ("x = {}\nBASELINE = x['clm']", "2: KeyError: 'clm'"),
    ("\nraise ValueError('a\\nb')", "2: ValueError: a"),
    ("from . import nothing", "1: can't be imported: cannot import name"),
    ("from lm_jax import config\nconfig.from_json('[]')", "2: config.json: mu"),
    ("BASELINE = 'a'\nSEEDS: float = 3.5\ndef runs(): ...", "2: SEEDS=3.5: mu"),
    ("BASELINE, SEEDS = 'a', True\ndef runs(): ...", "1: SEEDS=True: must"),
    ("BASELINE, SEEDS = '', 1\ndef runs(): ...", "1: BASELINE='': must be"),
    (HEAD + "DIFFERS = 'flops'\ndef runs(): ...", "3: DIFFERS='flops': must"),
    (HEAD + "TRIALS = {'a': -1}\ndef runs(): ...", "3: TRIALS={'a': -1}: must"),
    (HEAD + "runs = []", "3: runs=[]: must be a function"),
  ],
)
def test_a_file_that_raises_or_has_wrong_fields(tmp_path, text, message):
  assert fault(tmp_path, text).startswith(message)


@pytest.mark.parametrize(
  ("body", "message"),
  [
    ("\n  x = 1\n  return x / 0", "5: ZeroDivisionError: division by zero"),
    (" return [Config(arm='a', rate=3)]", "3: TypeError: Config.__init__() g"),
    (" return {'a': 1}", "3: runs() returns {'a': 1}; it must be a list"),
    (" return []", "3: runs() returns an empty list; it must be"),
    (" return [Config(), 3]", "3: runs() returns a list with 3; it must"),
    (" return [Config(arm='a', budget=3)]", "3: arm 'a': budget=3: must be"),
    (" return [Config(trunk={'x': 1})]", "3: arm 'clm': key=trunk.x: unknown"),
    (" return [Config(seeds={'x': {1}})]", "3: TypeError: Object of type set"),
  ],
)
def test_arms_that_are_none(tmp_path, body, message):
  assert fault(tmp_path, f"{HEAD}def runs():{body}").startswith(message)


def test_a_baseline_that_is_no_arm(tmp_path):
  """Else another arm would take its place without a word."""
  path = tmp_path / "mine.py"
  path.write_text(
    "from lm_jax.config import Config\nSEEDS = 1\nBASELINE = 'clmm'\n"
    "def runs(): return [Config(), Config(objective='mlm')]\n"
  )
  flags = ExperimentFlags(experiment=str(path), workdir=str(tmp_path / "w"))
  for baseline in ("", "mlm"):
    asked = dataclasses.replace(flags, baseline=baseline)
    with pytest.raises(UsageError, match=r"line 3: BASELINE=clmm: .* clm"):
      comparison.make(asked, "", progress=False)
  assert not (tmp_path / "w").exists()


def test_a_function_that_cannot_be_called_so_is_named(tmp_path):
  said = fault(tmp_path, HEAD + "def runs(arms):\n  return []")
  assert said.startswith("3: TypeError: runs() missing 1 required positional")


def test_the_line_is_that_of_the_file_that_raises(tmp_path):
  (tmp_path / "other.py").write_text("\n\nCOMMON = 1 / 0\n")
  (tmp_path / "mine.py").write_text("from .other import COMMON\n")
  with pytest.raises(UsageError, match=r"other\.py, line 3: ZeroDivision"):
    experiments.load(str(tmp_path / "mine.py"))


@pytest.mark.parametrize("name", ["a.b.py", "_mine.py", "base.py"])
def test_names_that_are_not_looked_for_are_refused(tmp_path, name):
  (tmp_path / name).write_text(HEAD)
  with pytest.raises(UsageError, match="an experiment's file has no other dot"):
    experiments.load(str(tmp_path / name))


def test_a_sound_file_is_what_it_says(tmp_path):
  path = tmp_path / "my own.py"
  path.write_text(
    f'"""Why?"""\n{HEAD}OTHER = 7\n'
    "def runs(names=('a',)):\n  return tuple(Config(arm=n) for n in names)\n"
  )
  experiment = experiments.load(str(path))
  assert (experiment.__doc__, experiment.OTHER) == ("Why?", 7)
  assert not hasattr(experiment, "TRIALS")
  assert [arm.arm for arm in experiment.runs()] == ["a"]
  assert [arm.arm for arm in experiment.runs(["b", "c"])] == ["b", "c"]
