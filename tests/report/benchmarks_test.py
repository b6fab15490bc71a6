"""GLUE's and SuperGLUE's averages, against rows of their leaderboards."""

import json
import types

import pytest

from lm_jax.evaluation import averages, formats
from lm_jax.evaluation.results import (
  HEAD,
  OWN,
  PROMPT,
  Evaluation,
  Outcome,
  Row,
)
from lm_jax.examples.forms import Example, Question, Span
from lm_jax.report import benchmarks, protocol, protocol_averages
from lm_jax.report.blocks import Table, Text
from lm_jax.support import registry
from lm_jax.tasks.base import SupervisedTask

# BERT-large on GLUE's test sets, as its leaderboard has it: 80.5.
GLUE = {
  "cola/matthews": 0.605,
  "sst2/accuracy": 0.949,
  "mrpc/f1": 0.893,
  "mrpc/accuracy": 0.854,
  "stsb/pearson": 0.876,
  "stsb/spearman": 0.865,
  "qqp/f1": 0.721,
  "qqp/accuracy": 0.893,
  "mnli/accuracy": 0.867,
  "mnli/mismatched_accuracy": 0.859,
  "qnli/accuracy": 0.927,
  "rte/accuracy": 0.701,
  "wnli/accuracy": 0.651,
}
# Wang et al. 2019, table 3, BERT: 69.0.
SUPERGLUE = {
  "boolq/accuracy": 0.774,
  "cb/f1": 0.757,
  "cb/accuracy": 0.836,
  "copa/accuracy": 0.706,
  "multirc/f1a": 0.700,
  "multirc/exact_match": 0.241,
  "record/f1": 0.720,
  "record/exact_match": 0.713,
  "rte/accuracy": 0.717,
  "wic/accuracy": 0.696,
  "wsc/accuracy": 0.644,
}


@pytest.mark.parametrize(
  ("name", "found", "value"),
  [("glue", GLUE, 80.5), ("superglue", SUPERGLUE, 69.0)],
)
def test_rows_of_leaderboards(name, found, value):
  [average] = benchmarks.averages(found | {"xsum/rougeL": 0.3})
  assert average.name == name and not average.missing
  assert 100 * average.value == pytest.approx(value, abs=0.05)


def test_what_is_missing_is_said():
  some = {
    k: v for k, v in GLUE.items() if k.split("/")[0] not in ("qqp", "rte")
  }
  del some["mnli/mismatched_accuracy"]
  [average] = benchmarks.averages(some)
  assert average.value is None
  assert benchmarks.sentence(average) == (
    "glue: no average: qqp, mnli's mismatched_accuracy, rte are missing"
  )
  other = some | {"mnli_mismatched/accuracy": 0.8}
  assert benchmarks.averages(other)[0].missing == ("qqp", "rte")
  # One task is no benchmark; that both share counts for both.
  assert benchmarks.averages({"rte/accuracy": 0.5, "xsum/rougeL": 0.3}) == []
  both = {"rte/accuracy": 0.5, "sst2/accuracy": 0.5, "wic/accuracy": 0.5}
  assert [a.name for a in benchmarks.averages(both)] == ["glue", "superglue"]


def test_tasks_are_there_and_tell_the_metrics_that_count():
  for tasks in benchmarks.BENCHMARKS.values():
    for name, metrics in tasks.items():
      task = registry.find("lm_jax.tasks", name, SupervisedTask, "--task")()
      if name == "record":
        examples = [Question("1", "", "a b", "?", (Span("b", 2),))]
      else:
        labels = task.form.labels or ("1.0", "2.5")
        examples = [Example(f"0-{x}-0", {}, x) for x in labels]
      told = [getattr(example, "label", "b") for example in examples]
      found = task.judge(told, examples).metrics
      own = [metric for metric in metrics if "mismatched" not in metric]
      assert [found[metric] for metric in own] == pytest.approx([1] * len(own))


def test_an_evaluation_is_averaged_by_its_shots():
  rows = [
    Row(*name.split("/"), value + shots / 100, way=PROMPT, shots=shots)
    for name, value in SUPERGLUE.items()
    for shots in (0, 1)
    if not name.startswith("record")
  ]
  rows += [
    Row("record", name, value, way=OWN)
    for name, value in SUPERGLUE.items()
    if name.startswith("record")
  ]
  rows.append(Row("rte", "accuracy", 0.9, way=PROMPT, shots=0, headline=False))
  assert averages.lines(rows) == [
    "superglue, 0 shots: 69.0, the mean of 8 tasks",
    "superglue, 1 shots: no average: record is missing",
  ]
  rows = [Row(*k.split("/"), v, way=HEAD) for k, v in GLUE.items()]
  assert averages.lines(rows) == ["glue: 80.5, the mean of 9 tasks"]
  found = Evaluation({}, {}, {}, (Outcome("cola", tuple(rows)),))
  [average] = formats.as_object(found)["averages"]
  assert average["name"] == "glue" and average["shots"] is None
  assert average["value"] == pytest.approx(0.8052, abs=1e-4)
  assert average["missing"] == ()
  assert averages.lines(rows[:1]) == []


def entry(arm, task, seeds, found):
  own = {k: v for k, v in found.items() if k.startswith(f"{task}/")}
  results = [
    protocol.Result("done", metrics={k: v + 0.01 * i for k, v in own.items()})
    for i in range(seeds)
  ]
  return types.SimpleNamespace(
    arm=arm, method="full", task=task, results=results
  )


def test_a_protocol_is_averaged_over_its_seeds():
  tasks = benchmarks.BENCHMARKS["glue"]
  entries = [entry("whole", task, 3, GLUE) for task in tasks]
  entries += [entry("part", task, 2, GLUE) for task in list(tasks)[:3]]
  heading, table, text = protocol_averages.blocks_of(entries)
  assert heading.text == "glue"
  assert isinstance(table, Table) and isinstance(text, Text)
  [[arm, method, value, seeds]] = table.rows
  assert (arm, method, seeds) == ("whole", "full", "3")
  assert value.startswith("81.5 [")  # 80.5, one more and two more
  assert text.text == (
    "glue of part, full: no average: stsb, qqp, mnli, qnli, rte, wnli are"
    " missing"
  )


def test_the_report_of_a_protocol_has_it(tmp_path):
  cells = []
  for task, metrics in benchmarks.BENCHMARKS["glue"].items():
    names = [f"{task}-{seed}" for seed in range(2)]
    own = {k: v for k, v in GLUE.items() if k.startswith(f"{task}/")}
    for seed, name in enumerate(names):
      result = {"status": "done", "metrics": own, "items": {task: [1.0, 0.0]}}
      result["seed"] = seed
      (tmp_path / "runs" / name).mkdir(parents=True)
      (tmp_path / "runs" / name / "result.json").write_text(json.dumps(result))
    cells.append(
      {"arm": "a", "task": task, "method": "full", "metric": metrics[0]}
      | {"runs": names}
    )
  about = {"name": "x", "cells": cells, "baseline": "a", "seeds": 2}
  (tmp_path / "protocol.json").write_text(json.dumps(about))
  lines = protocol.write(tmp_path).splitlines()
  assert "80.5" in next(x for x in lines[lines.index("glue") :] if "full" in x)
