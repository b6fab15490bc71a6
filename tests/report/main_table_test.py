"""The main table for papers, sheets and programs."""

import csv
import io
import json
import re
import shutil
import subprocess

import pytest
from json_files import edited

from lm_jax import cli
from lm_jax.report import (
  Report,
  collect,
  compare,
  latex,
  main_table,
  records,
)
from lm_jax.report.blocks import Table

ARMS = ("clm", "mlm", "rtd")


@pytest.mark.parametrize(
  ("text", "escaped"),
  [
    ("a_b & 50 % #1", r"a\_b \& 50 \% \#1"),
    ("$x^2$ {y} ~", r"\$x\textasciicircum{}2\$ \{y\} \textasciitilde{}"),
    ("\\input{x}", r"\textbackslash{}input\{x\}"),
    ("−1.2 ± 0.1 ≤ 3", r"$-$1.2 $\pm$ 0.1 $\le$ 3"),
    ("< 0.001 | x", r"\textless{} 0.001 \textbar{} x"),
    ("two\n\n\\par lines\x1b", "two \\textbackslash{}par lines\ufffd"),
    ("语言 é", "语言 é"),
  ],
)
def test_text_is_escaped_for_latex(text, escaped):
  assert latex.escape(text) == escaped


def test_a_latex_table_has_a_cell_for_each_column():
  table = Table(("arm", "p"), (("a & b", "[1, 2]"), ("[x]", "5 %")))
  text = latex.table(table, "Which_one?", "my exp_1")
  lines = text.splitlines()
  assert r"\begin{tabular}{lr}" in lines and r"\label{tab:my-exp-1}" in lines
  body = lines[lines.index(r"  \toprule") : lines.index(r"  \bottomrule")]
  rows = [line for line in body if line.endswith(r" \\")]
  assert len(rows) == 3
  for row in rows:
    assert len(re.findall(r"(?<!\\)&", row)) == 1
  # After \\ a bracket would be an argument.
  assert not any(row.strip().startswith("[") for row in rows)
  begun, ended = (
    re.findall(rf"\\{x}{{(\w+)}}", text) for x in ("begin", "end")
  )
  assert begun == ended[::-1] == ["table", "tabular"]


def test_a_run_that_has_not_begun_hides_no_setting_of_its_arm(experiment):
  root = experiment(seeds=3, arms=ARMS)
  for path in root.glob("runs/*/result.json"):
    own = json.loads(path.read_text())
    own |= {"objective": "o", "architecture": "a", "commit": "c"}
    path.write_text(json.dumps(own))
  shutil.rmtree(root / "runs" / "mlm-2")
  arms = records.from_arms(compare.analyse(collect.load(root)))
  for record in arms:
    told = [record[name] for name in ("objective", "architecture", "commit")]
    assert told == ["o", "a", "c"]


def test_the_table_joins_what_arms_reached_and_their_differences(experiment):
  analysis = compare.analyse(collect.load(experiment(seeds=3, arms=ARMS)))
  table = main_table.table(analysis)
  assert table.head[:3] == ("arm", "seeds", "minimal pairs, %")
  assert table.head[-1] == "verdict"
  assert {len(row) for row in table.rows} == {len(table.head)}
  rows = {row[0]: dict(zip(table.head, row, strict=True)) for row in table.rows}
  assert list(rows) == list(ARMS)
  assert rows["clm"]["verdict"] == "–"
  for difference in analysis.differences:
    row = rows[difference.arm]
    assert row["verdict"] == difference.verdict
    value = f"{100 * difference.seeds.value:+.1f}".replace("-", "−")
    assert row["difference to clm, points"].startswith(value)
    assert row["minimal pairs, %"].startswith(
      f"{100 * analysis.arm(difference.arm).total.value:.1f} ["
    )
  # Columns of words are those that were in the tables.
  assert len(table.head) - 1 in table.words and 1 not in table.words


def test_sheets_and_programs_get_the_numbers_themselves(experiment):
  root = experiment(seeds=3, arms=ARMS)
  with edited(root / "experiment.json") as about:
    for run in about["runs"]:
      run["arm"] = "=rtd()" if run["arm"] == "rtd" else run["arm"]
  analysis = compare.analyse(collect.load(root))
  report = Report.load(root)
  rows = list(csv.DictReader(io.StringIO(report.main_table("csv"))))
  assert [row["arm"] for row in rows] == ["clm", "mlm", "'=rtd()"]
  content = json.loads(report.main_table("json"))
  assert content["baseline"] == "clm" and content["metric"] == "minimal_pairs"
  assert "clm" in content["answer"]
  for arm, row, record in zip(
    analysis.arms, rows, content["arms"], strict=True
  ):
    for end in ("low", "high"):
      value = getattr(arm.total, end)
      assert record[f"minimal_pairs_{end}"] == value
      assert float(row[f"minimal_pairs_{end}"]) == value


@pytest.mark.parametrize(
  ("form", "begins"),
  [
    ("latex", "% Needs"),
    ("markdown", "# compare"),
    ("csv", "arm,seeds,"),
    ("json", "{\n"),
  ],
)
def test_the_command_prints_it_alone_and_writes_the_pages(
  form, begins, experiment, capsys
):
  root = experiment(seeds=2, arms=("clm", "mlm"))
  assert cli.main(["report", f"--workdir={root}", f"--format={form}"]) == 0
  assert capsys.readouterr().out.startswith(begins)
  assert (root / "report.html").exists()


@pytest.mark.parametrize("name", ["results.json", "protocol.json"])
def test_other_directories_have_no_main_table(name, tmp_path, capsys):
  (tmp_path / name).write_text("{}")
  assert cli.main(["report", f"--workdir={tmp_path}", "--format=latex"]) == 2
  [line] = capsys.readouterr().err.splitlines()
  assert "--format=latex: of an experiment" in line and "results.csv" in line


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no pdflatex")
def test_latex_takes_every_sign(tmp_path):
  signs = 'a_b & 50 % #1 $x^2$ {y} ~ \\input{x} < > | " `q` − ± ≤ ≥ … – × é'
  table = Table(("arm", "[p]"), ((signs, "[1, 2]"), ("[x]", "*"), ("*x", "–")))
  begin = (
    r"\documentclass{article}\usepackage{booktabs}\usepackage[T1]{fontenc}"
  )
  text = latex.table(table, f"{signs} \\end{{table}}", "x_y")
  (tmp_path / "t.tex").write_text(
    f"{begin}\\begin{{document}}\n{text}\\end{{document}}\n", "utf-8"
  )
  words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
  done = subprocess.run(words, cwd=tmp_path, capture_output=True, timeout=60)
  assert done.returncode == 0, done.stdout[-2000:]
