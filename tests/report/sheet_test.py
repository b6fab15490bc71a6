"""Whatever we write as CSV is text and numbers to a spreadsheet, no formula."""

import csv
import pathlib
import re

import numpy as np
import pytest

from lm_jax.evaluation import formats, results
from lm_jax.report import collect, protocol, records, sheet

EVIL = '=HYPERLINK("http://evil","x")\x1b]0;y\x07'


@pytest.mark.parametrize(
  ("value", "shown"),
  [
    ("=1+1", "'=1+1"),
    ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
    ("-x", "'-x"),
    ("@SUM(A1)", "'@SUM(A1)"),
    ("\t=1", "'\t=1"),
    ("\r=1", r"'\r=1"),
    ("\uff1d1", "'\uff1d1"),
    ("a\x1b[2Jb\x00\u202e", r"a\x1b[2Jb\x00\u202e"),
    ("-1.5e-3", "-1.5e-3"),
    ("+3", "+3"),
    ("-inf", "'-inf"),
    ("lr=1e-3", "lr=1e-3"),
    ("two\nlines", "two\nlines"),
    (["=a", "b"], "'=a,b"),
    (-0.25, -0.25),
    (7, 7),
    (True, True),
    (None, None),
    ("", ""),
  ],
)
def test_a_cell(value, shown):
  assert sheet.cell(value) == shown


def test_a_table_reads_back():
  text = sheet.text(["a", "=b"], [[1, EVIL], [-2.5, 'say "so", twice']])
  rows = list(csv.reader(text.splitlines()))
  assert rows[0] == ["a", "'=b"]
  assert rows[1] == ["1", '\'=HYPERLINK("http://evil","x")\\x1b]0;y\\x07']
  assert rows[2] == ["-2.5", 'say "so", twice']


def _no_formula(text):
  cells = [cell for row in csv.reader(text.splitlines()) for cell in row]
  assert not [x for x in cells if re.match(r"[=+@\t\r]|-(?![\d.])", x)]
  assert not re.search("[\x00-\x08\x0b-\x1f\x7f]", text)
  assert any(cell.startswith("'=HYPERLINK") for cell in cells)


def test_every_file_that_is_written(experiment):
  root = experiment(bad={"mlm-1": "failed"}, arms=("clm", "mlm"))
  path = root / "runs" / "mlm-1" / "result.json"
  path.write_text(path.read_text().replace("ValueError: ", "=HYPERLINK(1) "))
  _no_formula(records.table_csv(collect.load(root)))
  entry = protocol.Entry(
    *(EVIL, "sst2", "full", "f"),
    results=[protocol.Result("done")],
    scores=np.array([-0.5]),
    items=np.zeros((1, 0)),
  )
  _no_formula(protocol._csv([entry]))
  row = results.Row("t", EVIL, -0.5)
  model = {"path": EVIL, "objective": "clm", "architecture": "", "digest": ""}
  flags, versions = {"seed": 0, "limit": 0}, {"lm_jax": "1"}
  outcome = results.Outcome("t", (row,))
  found = results.Evaluation(model, flags, versions, (outcome,))
  _no_formula(formats.as_csv(found))


def test_no_other_place_writes_csv():
  root = pathlib.Path(sheet.__file__).parents[1]
  # The other one writes what a flag takes.
  writers = {
    p.name for p in root.rglob("*.py") if "csv.writer" in p.read_text()
  }
  assert writers <= {"sheet.py", "keywords.py"}
