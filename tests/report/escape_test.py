"""Whatever an experiment's files say is shown as text, and leads nowhere."""

import json
import re

import pytest
from html_page import strict
from json_files import edited

from lm_jax import report
from lm_jax.support.errors import UsageError

EVIL = (
  "<script>alert(1)</script><img src=x onerror=y>'\"&\x1b[31m $\\bad{$ `|_*"
)


def _poisoned(root):
  """Every text of the experiment says something evil, the arms' names too."""
  about = json.loads((root / "experiment.json").read_text())
  plain = EVIL.replace("\x1b", "")
  arms = {run["arm"]: f"{run['arm']} {plain}" for run in about["runs"]}
  for key in ("name", "question", "command", "docstring", "machine", "date"):
    about[key] = EVIL
  about["versions"] = {EVIL: EVIL}
  about["baseline"] = arms[about["baseline"]]
  for run in about["runs"]:
    run["arm"] = arms[run["arm"]]
    with edited(root / "runs" / run["name"] / "result.json") as result:
      for key in ("objective", "architecture", "scoring", "digest", "error"):
        result[key] = EVIL
      result["metrics"][EVIL] = 0.5
  first, name = about["runs"][0], re.sub(r"[/\\]", "_", EVIL)
  (root / "runs" / first["name"]).rename(root / "runs" / name)
  first["name"] = name
  with edited(
    root / "runs" / about["runs"][-1]["name"] / "result.json"
  ) as last:
    last |= {"status": EVIL, "error": EVIL, "traceback": f"````\n{EVIL}"}
  (root / "experiment.json").write_text(json.dumps(about))


def test_every_text_is_escaped(experiment):
  root = experiment(seeds=2, arms=("clm", "mlm"))
  _poisoned(root)
  report.write(root)
  page = (root / "report.html").read_text()
  read = strict(page)
  assert len(read.all("script")) == 2
  plain = EVIL.replace("\x1b", "")
  traces = read.data["curves_flops"].values()
  assert {trace["arm"] for trace in traces} == {f"clm {plain}", f"mlm {plain}"}
  text = (root / "report.md").read_text()
  assert "<script" not in re.sub(r"(?s)(`{3,})\w*\n.*?\n\1\n", "", text)
  for found in (text, page, report.table(root)):
    assert "\x1b" not in found


@pytest.mark.parametrize(
  "name", ["../out", "/etc", "..", "", "a\0b", "x" * 300]
)
def test_a_run_cannot_lie_outside(experiment, name):
  root = experiment(seeds=1, arms=("clm", "mlm"))
  with edited(root / "experiment.json") as about:
    about["runs"][0]["name"] = name
  with pytest.raises(
    UsageError, match=r"experiment\.json.*name of a directory"
  ):
    report.write(root)
