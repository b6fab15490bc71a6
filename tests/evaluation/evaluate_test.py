"""`launch.py evaluate` with prompts, as a user calls it."""

import csv
import io
import json

import pytest

from lm_jax import cli

TEMPLATE = """+++
description = "short"
fields = ["text"]
answer = "label"
choices = { negative = "act", positive = "law" }
calibration = { text = "" }
separator = "\\n"
+++
{{ text }}:"""


@pytest.fixture(scope="module")
def data(tmp_path_factory, write_labelled):
  folder = tmp_path_factory.mktemp("data")
  write_labelled(folder / "train.jsonl", 8)
  write_labelled(folder / "test.jsonl", 6)
  (folder / "short.jinja").write_text(TEMPLATE)
  return folder


@pytest.fixture
def evaluate(command):
  return lambda *words: command("evaluate", *words)


def _usual(finished, data):
  return (
    f"--model={finished.workdir}",
    "--tasks=sst2",
    f"--task_data=sst2={data}",
    f"--template={data}/short.jinja",
    "--draws=2",
    "--shots=0,2",
  )


def test_text_json_csv_and_predictions_agree(
  finished, data, evaluate, tmp_path
):
  usual = _usual(finished, data)
  file = tmp_path / "predictions.jsonl"
  code, text, _ = evaluate(*usual, f"--predictions={file}")
  assert code == 0
  assert text.startswith("sst2: 6 items, template ")
  assert "log_likelihood, correction none" in text.splitlines()[0]
  lines = [line.split() for line in text.splitlines()[3:]]
  assert [line[:2] for line in lines] == [["0", "1"], ["2", "2"]]

  code, found, _ = evaluate(*usual, "--format=json", "--correction=byte")
  rows = json.loads(found)["results"]
  names = ["none", "token", "byte", "unconditional", "calibrated"]
  assert [(r["shots"], r["correction"]) for r in rows] == [
    (shots, name) for shots in (0, 2) for name in names
  ]
  assert {r["metric"] for r in rows} == {"accuracy"}
  assert [r["correction"] for r in rows if r["headline"]] == ["byte", "byte"]
  assert rows[0]["chance"] == rows[0]["commonest"] == 0.5
  uncorrected = [r["value"] for r in rows if r["correction"] == "none"]
  values = [100 * value for value in uncorrected]
  assert [float(line[2]) for line in lines] == pytest.approx(values, abs=0.06)

  code, found, _ = evaluate(*usual, "--format=csv")
  table = list(csv.DictReader(io.StringIO(found)))
  assert [float(r["value"]) for r in table] == [r["value"] for r in rows]
  assert {r["model"] for r in table} == {finished.workdir}

  records = [json.loads(line) for line in file.read_text().splitlines()]
  assert len(records) == 6 + 2 * 6
  for shots, value in zip((0, 2), uncorrected, strict=True):
    of_shots = [r for r in records if r["shots"] == shots]
    right = sum(r["score"] for r in of_shots) / len(of_shots)
    assert right == pytest.approx(value)
    assert all(len(r["examples"]) == shots for r in of_shots)
  record = records[0]
  scores = record["choice_scores"]["none"]
  best = record["choices"][scores.index(max(scores))]
  assert record["answer"] == record["choice_answers"]["none"] == best
  assert record["right"] == "negative" and record["asked"] == {"text": "we 0"}
  # A second time there is a file already, and nothing is overwritten.
  before = file.read_bytes()
  code, _, error = evaluate(*usual, f"--predictions={file}")
  assert code == 2 and "is there already" in error
  assert file.read_bytes() == before


def test_the_same_command_gives_the_same(finished, data, evaluate):
  usual = (*_usual(finished, data), "--format=json")
  assert evaluate(*usual) == evaluate(*usual)
  _, found, _ = evaluate(*usual, "--limit=3")
  assert {r["items"] for r in json.loads(found)["results"]} == {3}


@pytest.mark.parametrize(
  ("words", "message"),
  [
    (["--shots=0"], "--model: needed"),
    (["--model=x", "--shots=0"], "--shots: needs --tasks"),
    (["--model=x", "--tasks=sst3"], "--tasks=sst3: .* mean sst2"),
    (["--model=x", "--tasks=sst2", "--shots=a"], "--shots=a: must be a whole"),
    (["--model=x", "--tasks=sst2", "--shots=-1"], "--shots=-1: must be 0 to"),
    (["--model=x", "--tasks=sst2", "--draws=0"], "--draws=0: must be 1 to"),
    (["--model=x", "--tasks=sst2", "--correction=tokens"], "mean token"),
    (["--model=x", "--tasks=sst2", "--task_data=x"], "must be TASK=PATH"),
    (
      ["--model=x", "--tasks=sst2", "--task_data=cola=x"],
      "--task_data=cola: unknown.*Valid: sst2",
    ),
    (
      ["--model=x", "--task_data=sst2=x"],
      "--task_data=sst2: unknown",
    ),
    (["--model=x", "--task_data=era=x"], "era: is for tasks with --shots"),
    (
      ["--model=x", "--tasks=squad"],
      "is answered by models that are fine-tuned for it",
    ),
    (
      ["--model=x", "--tasks=minimal_pairs", "--shots=1"],
      "minimal_pairs has no examples",
    ),
    (["--model=x", "--tasks=era", "--template=a"], "is for tasks with --shots"),
    (["--model=x", "--tasks=era", "--workdir=setup.cfg"], "is not a directory"),
    (["--model=x", "--tasks=era", "--workdir=docs"], "holds no evaluation"),
    (["--model=x", "--tasks=era", "--format=html"], "--format=html: unknown"),
    (
      ["--model=x", "--tasks=sst2", "--template=sst"],
      "--template=sst: unknown; did you mean sst2",
    ),
    (
      ["--model=x", "--tasks=sst2", "--task_data=sst2=/none"],
      "--task_data=sst2=/none: no such file",
    ),
    (
      ["--model=x", "--tasks=sst2", "--predictions=/none/a.jsonl"],
      "/none is no directory",
    ),
    (["--model=/none", "--tasks=era", "--shots=0"], "--model=/none"),
  ],
)
def test_bad_flags_end_before_anything_is_read(words, message, evaluate):
  code, out, error = evaluate(*words)
  assert code == 2 and not out
  assert error.count("\n") == 1
  import re

  assert re.search(message, error), error


def test_flags_that_the_model_does_not_bear(finished, data, evaluate):
  usual = _usual(finished, data)
  for words, message in (
    (["--samples=3"], "--samples=3: is for templates with answer_pattern"),
    (["--template=sst2_cloze"], "a model of clm does not fill blanks"),
    (["--template=copa"], "field premise: sst2 has none; it has text"),
    (["--shots=9"], "--shots=9: the training split of sst2 has 8 examples"),
  ):
    code, _, error = evaluate(*usual, *words)
    assert code == 2 and message in error


def test_answers_are_written_and_voted_on(finished, data, evaluate, tmp_path):
  path = tmp_path / "write.jinja"
  head = TEMPLATE.replace("calibration", 'answer_pattern = "a"\ncalibration')
  path.write_text(
    head.replace("+++\n{{", "[generation]\nmax_new_tokens = 4\n+++\n{{")
  )
  file = tmp_path / "predictions.jsonl"
  code, text, _ = evaluate(
    *_usual(finished, data)[:3],
    f"--template={path}",
    "--samples=3",
    "--shots=1",
    "--draws=1",
    f"--predictions={file}",
  )
  assert code == 0 and "written, 3 for each prompt" in text
  records = [json.loads(line) for line in file.read_text().splitlines()]
  assert all(len(record["texts"]) == 3 for record in records)
  for record in records:
    found = [text for text in record["texts"] if "a" in text]
    assert record["answer"] == ("a" if found else None)


def test_a_long_prompt_is_cut_so_that_an_answer_fits(
  finished, data, evaluate, tmp_path
):
  head = TEMPLATE.replace("calibration", 'answer_pattern = "."\ncalibration')
  text = head.replace("+++\n{{", "[generation]\nmax_new_tokens = N\n+++\n{{")
  text = text.replace("{{ text }}", "{{ text }}" + " we act" * 9)
  file, path = tmp_path / "predictions.jsonl", tmp_path / "write.jinja"
  usual = (*_usual(finished, data)[:3], f"--template={path}")
  path.write_text(text.replace("= N", "= 9"))
  code, out, _ = evaluate(*usual, f"--predictions={file}")
  assert code == 0 and "100 % of the items were cut" in out
  for line in file.read_text().splitlines():
    (written,) = json.loads(line)["texts"]
    assert 0 < len(written) <= 9  # a token a byte
  path.write_text(text.replace("= N", f"= {finished.length}"))
  code, _, error = evaluate(*usual)
  assert code == 2 and "max_new_tokens=32: the model's context" in error


def test_tasks_of_several_ways_go_together(finished, data, evaluate):
  code, text, _ = evaluate(
    *_usual(finished, data)[:1],
    "--tasks=minimal_pairs,sst2,bits_per_byte",
    *_usual(finished, data)[2:],
  )
  assert code == 0
  heads = [line for line in text.splitlines() if not line.startswith(" ")]
  assert [h.partition(":")[0] for h in heads] == [
    *("minimal_pairs", "sst2", "bits_per_byte")
  ]
  assert "log_likelihood" in heads[0] and "template" in heads[1]
  # Every metric of items has an interval of its own items.
  lines = [line for line in text.splitlines() if "minimal_pairs" in line]
  assert len(lines) == 1 + 4
  assert len({line.partition("[")[2] for line in lines[2:]}) > 1
  assert all(line.endswith("] %") for line in lines[1:])


def test_what_a_model_can_not_do_is_told_with_who_can(
  tiny, evaluate, refused, tmp_path
):
  from lm_jax.runs import run

  config = tiny.config(tmp_path / "rtd", objective="rtd", budget="steps:1")
  run.Run(config).execute(progress=False)
  for words, message in (
    (["--tasks=bits_per_byte"], "needs a likelihood or a bound on it, and the"),
    (
      ["--tasks=bits_per_byte"],
      "models of clm, hybrid, mlm, mlm_nsp, mlm_sop,",
    ),
    (["--tasks=era"], "is not the embedded corpus, whose messages have"),
  ):
    refused(["evaluate", f"--model={config.workdir}", *words], message)
  # None named: what does not apply is left out.
  code, text, _ = evaluate(f"--model={config.workdir}")
  assert code == 0 and "minimal_pairs" in text and "bits" not in text


def test_a_fine_tuned_run_answers_its_own_task(
  finished, data, evaluate, capsys, tmp_path
):
  for split in ("train", "dev", "test"):
    source = data / ("test.jsonl" if split == "test" else "train.jsonl")
    (tmp_path / f"own_{split}.jsonl").write_bytes(source.read_bytes())
  run, place = tmp_path / "run", f"{tmp_path}/own"
  words = [f"--model={finished.workdir}", "--task=sst2", f"--workdir={run}"]
  words += [f"--task_data={place}", "--budget=steps:2", "--batch_size=4"]
  assert cli.main(["finetune", *words]) == 0
  capsys.readouterr()

  code, out, _ = evaluate(f"--model={run}", "--format=json")
  assert code == 0
  found = json.loads(out)
  (row,) = found["results"]
  assert (row["task"], row["metric"]) == ("sst2", "accuracy")
  assert (row["way"], row["scoring"]) == ("head", "classify")
  assert row["items"] == 6 and row["chance"] == 0.5
  assert row["low"] < row["value"] < row["high"] or row["value"] in (0, 1)
  result = json.loads((run / "result.json").read_text())
  assert row["value"] == result["metrics"]["sst2/accuracy"]

  # Its answers are paired with those to prompts, whatever their fields.
  mine, theirs = tmp_path / "mine.jsonl", tmp_path / "theirs.jsonl"
  assert evaluate(f"--model={run}", f"--predictions={mine}")[0] == 0
  usual = [f"--model={finished.workdir}", "--tasks=sst2"]
  usual += [f"--task_data=sst2={place}", f"--predictions={theirs}"]
  assert evaluate(*usual)[0] == 0
  words = [f"--predictions={mine}", f"--baseline={theirs}"]
  assert cli.main(["report", *words, f"--workdir={tmp_path / 'page'}"]) == 0
  assert "mine has no prompt, and theirs 0 shots" in capsys.readouterr().out
  # With shots it is prompted for, and this model has nothing to say by.
  code, _, error = evaluate(f"--model={run}", "--tasks=sst2", "--shots=0")
  assert code == 2 and "has no output to score" in error
