"""What arms differ in, and what of it the experiment declared."""

import json

import pytest

from lm_jax import experiments
from lm_jax.report import Report, collect, compare, panel
from lm_jax.support.errors import UsageError


def marked(root, declared):
  about = json.loads((root / "experiment.json").read_text())
  about["differs"] = declared
  (root / "experiment.json").write_text(json.dumps(about))
  analysis = compare.analyse(collect.load(root))
  known = panel.fields(analysis)
  said = panel.declared(analysis.experiment.about)
  return known, [field.path for field in panel.undeclared(known, said)]


def configure(root, arm, **settings):
  for folder in (root / "runs").glob(f"{arm}-*"):
    (folder / "config.json").write_text(json.dumps(settings))


def test_a_field_that_differs_is_marked_unless_it_is_declared(experiment):
  root = experiment(arms=("clm", "mlm"))
  configure(root, "clm", architecture="causal_decoder", length=128)
  configure(
    root, "mlm", architecture="encoder", length=128, optimizer={"beta2": 0.9}
  )
  known, undeclared = marked(root, ["objective"])
  assert undeclared == [
    *("targets", "tokens", "positions", "architecture", "optimizer.beta2")
  ]
  values = {field.path: field.values for field in known}
  assert values["architecture"] == {"clm": "causal_decoder", "mlm": "encoder"}
  assert values["rate"] == {"clm": "1.00e-03", "mlm": "1.00e-03"}
  # FLOPs are the same; and parameters, within two in a hundred.
  assert not {"flops", "parameters"} & set(undeclared)
  said = ["targets", "tokens", "positions", "architecture", "optimizer.beta2"]
  assert marked(root, said)[1] == []
  text = (root / "report.md", Report.load(root).write())[0].read_text()
  assert "| visibility | causal_decoder | encoder | declared |" in text
  marked(root, said[:-1])
  Report.load(root).write()
  assert "Not declared: optimizer.beta2." in (root / "report.md").read_text()


def test_a_field_that_one_arm_lacks_differs(experiment):
  root = experiment(arms=("clm", "mlm"))
  path = root / "runs" / "mlm-0" / "result.json"
  for folder in (root / "runs").glob("mlm-*"):
    path = folder / "result.json"
    result = json.loads(path.read_text())
    del result["parameters"]
    path.write_text(json.dumps(result))
  known, undeclared = marked(root, [])
  assert "parameters" in undeclared
  assert {f.path: f.values["mlm"] for f in known}["parameters"] == "–"


def test_what_an_experiment_declares_are_fields(tmp_path):
  path = tmp_path / "mine.py"
  path.write_text(
    "from lm_jax.config import Config\n"
    "BASELINE, SEEDS, DIFFERS = 'a', 1, ('flopz',)\n"
    "def runs():\n  return [Config(arm='a')]\n"
  )
  with pytest.raises(UsageError, match="DIFFERS=flopz: unknown; did you"):
    experiments.load(str(path))
