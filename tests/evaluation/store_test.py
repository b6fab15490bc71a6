"""The directory of an evaluation: what is kept, reused and refused."""

import csv
import html.parser
import json
import shutil
from pathlib import Path

import pytest

from lm_jax import cli
from lm_jax.evaluation import store
from lm_jax.examples import labelled
from lm_jax.tasks import minimal_pairs


def _files(root):
  paths = [p for p in Path(root).rglob("*") if p.is_file()]
  return {str(path.relative_to(root)): path.read_bytes() for path in paths}


class _Page(html.parser.HTMLParser):
  def __init__(self, text):
    super().__init__()
    self.tags, self.text = [], ""
    self.feed(text)

  def handle_starttag(self, tag, attributes):
    self.tags.append((tag, dict(attributes)))

  def handle_data(self, data):
    self.text += data


@pytest.fixture(scope="module")
def data(tmp_path_factory, write_labelled):
  folder = tmp_path_factory.mktemp("data")
  for split in ("train", "test"):
    write_labelled(folder / f"{split}.jsonl", 6, "{word} <b>{i}")
  return folder


@pytest.fixture(scope="module")
def kept(finished, data, tmp_path_factory):
  """An evaluation's directory, not to be changed, and its flags."""
  root = tmp_path_factory.mktemp("kept") / "evaluation"
  words = [
    f"--model={finished.workdir}",
    "--tasks=minimal_pairs,sst2",
    f"--task_data=sst2={data}",
    f"--workdir={root}",
  ]
  before = _files(finished.workdir)
  assert cli.main(["evaluate", *words]) == 0
  assert _files(finished.workdir) == before
  return root, words


def test_all_that_is_written_tells_the_same(kept):
  root, _ = kept
  assert {name for name in _files(root) if "figures" not in name} == {
    *("results.json", "results.csv", "report.md", "report.html", "lock"),
    *("predictions/minimal_pairs.jsonl", "predictions/sst2.jsonl"),
  }
  results = json.loads((root / "results.json").read_text())["results"]
  with (root / "results.csv").open() as file:
    table = list(csv.DictReader(file))
  assert [float(row["value"]) for row in table] == [r["value"] for r in results]
  by_metric = {r["metric"]: r for r in results if r["headline"]}
  for task, metric in (("minimal_pairs",) * 2, ("sst2", "accuracy")):
    lines = (root / f"predictions/{task}.jsonl").read_text().splitlines()
    scores = [json.loads(line)["score"] for line in lines]
    row = by_metric[metric]
    assert row["value"] == pytest.approx(sum(scores) / len(scores))
    assert row["low"] < row["value"] < row["high"]
    assert row["items"] == len(scores)
  page = _Page((root / "report.html").read_text())
  tags = {tag for tag, _ in page.tags}
  assert not tags & {"script", "a", "link", "iframe"}
  assert "we <b>0" in page.text and "<b>" not in tags
  for name in by_metric:
    assert name in page.text


def test_the_same_again_measures_nothing(kept, command, monkeypatch):
  root, words = kept

  def refuse(*_):
    raise AssertionError("measured again")

  monkeypatch.setattr(minimal_pairs, "fitting_pairs", refuse)
  first = _files(root)
  code, out, _ = command("evaluate", *words)
  assert code == 0 and "minimal_pairs: " in out
  first.pop("lock")
  again = _files(root)
  again.pop("lock")
  assert again == first
  # And the pages are made of the directory alone.
  (root / "report.html").unlink()
  code, again, _ = command("report", f"--workdir={root}")
  assert code == 0 and again == out
  assert (root / "report.html").read_bytes() == first["report.html"]


def test_another_evaluation_is_refused(kept, tiny, command, refused, tmp_path):
  from lm_jax.runs import run

  root, words = kept
  before = _files(root)
  other = tiny.config(tmp_path / "other", seed=1, budget="steps:1")
  run.Run(other).execute(progress=False)
  for changed, message in (
    (["--limit=3"], "holds results of other flags (limit: 0 -> 3)"),
    (["--shots=1"], "(shots: none -> 1)"),
    ([f"--task_data=sst2={tmp_path}"], f"{tmp_path}); name another"),
    ([f"--model={other.workdir}"], "holds results of another model"),
  ):
    refused(["evaluate", *words, *changed], message)
  code, _, error = command("evaluate", *words[:2], f"--workdir={other.workdir}")
  assert code == 2 and "is not empty and holds no evaluation" in error
  assert _files(root) == before


def test_tasks_are_added_and_changed_data_are_asked_again(
  kept, finished, data, command, tmp_path
):
  root, place = tmp_path / "evaluation", tmp_path / "data"
  place.mkdir()
  for path in data.iterdir():
    (place / path.name).write_bytes(path.read_bytes())
  usual = [f"--model={finished.workdir}", f"--workdir={root}"]
  sst2 = ["--tasks=sst2", f"--task_data=sst2={place}"]
  assert command("evaluate", *usual, "--tasks=bits_per_byte")[0] == 0
  assert command("evaluate", *usual, *sst2)[0] == 0
  found = json.loads((root / "results.json").read_text())
  assert list(dict.fromkeys(r["task"] for r in found["results"])) == [
    *("bits_per_byte", "sst2")
  ]
  with (place / "test.jsonl").open("a") as file:
    file.write('\n{"text": "more", "label": 1}')
  code, out, _ = command("evaluate", *usual, *sst2)
  assert code == 0 and out.startswith("sst2: 7 items")
  assert len((root / "predictions/sst2.jsonl").read_text().splitlines()) == 7


@pytest.mark.parametrize(
  ("damage", "message"),
  [
    (lambda text: text[:-40], "not JSON"),
    (lambda text: text.replace('"format": 1', '"format": 2'), "no results of"),
    (
      lambda text: text.replace('"value": ', '"value": "a", "x": '),
      "value: 'a'",
    ),
    (lambda text: text.replace('"items": 6', '"items": "6"'), "items: '6'"),
    (lambda text: text.replace('"sst2",', '"../sst2",'), "task='../sst2'"),
  ],
)
def test_a_damaged_directory_is_one_line(
  kept, refused, tmp_path, damage, message
):
  root = tmp_path / "copy"
  root.mkdir()
  text = (kept[0] / "results.json").read_text()
  assert damage(text) != text
  (root / "results.json").write_text(damage(text))
  words = [*kept[1][:-1], f"--workdir={root}"]
  for command in (["evaluate", *words], ["report", words[-1]]):
    assert "results.json" in refused(command, message)


def test_what_was_measured_before_an_interruption_is_kept(
  finished, command, monkeypatch, tmp_path
):
  from lm_jax.tasks.bits_per_byte import BitsPerByte

  words = [f"--model={finished.workdir}", f"--workdir={tmp_path / 'w'}"]
  words.append("--tasks=minimal_pairs,bits_per_byte")

  def interrupt(*_):
    raise KeyboardInterrupt

  with monkeypatch.context() as patch:
    patch.setattr(BitsPerByte, "measure", interrupt)
    code, _, error = command("evaluate", *words)
  assert code == 75 and "the same command goes on" in error

  monkeypatch.setattr(minimal_pairs, "fitting_pairs", interrupt)
  code, out, _ = command("evaluate", *words)
  assert code == 0 and "bits_per_byte" in out


def test_from_python(kept, finished, data):
  import lm_jax

  root, _ = kept
  found = lm_jax.evaluate(
    lm_jax.load(finished.workdir),
    ["minimal_pairs", "sst2"],
    task_data={"sst2": data},
    shots=0,
  )
  rows = json.loads((root / "results.json").read_text())["results"]
  told = {r["metric"]: r["value"] for r in rows if r["headline"]}
  assert found["minimal_pairs"] == told["minimal_pairs"]
  assert found["sst2/0 shots/accuracy"] == told["accuracy"]
  assert len(found.predictions) == sum(
    len(path.read_text().splitlines())
    for path in (root / "predictions").iterdir()
  )
  for options, message in (
    ({"shot": 1}, "option=shot: unknown; did you mean shots"),
    ({"limit": "3"}, "limit=3: must be a whole number"),
    ({"tasks": "sst3"}, "--tasks=sst3: unknown"),
  ):
    with pytest.raises(lm_jax.UsageError, match=message):
      lm_jax.evaluate(finished.workdir, **options)


def test_data_that_changes_while_it_is_read_is_not_kept(
  finished, data, tmp_path, command, monkeypatch
):
  place = tmp_path / "data"
  shutil.copytree(data, place)
  real = labelled.Form.example

  def example(form, record, name):
    with (place / "test.jsonl").open("a") as file:
      file.write("\n")
    return real(form, record, name)

  words = [
    f"--model={finished.workdir}",
    "--tasks=sst2",
    f"--task_data=sst2={place}",
    f"--workdir={tmp_path}/kept",
  ]
  with monkeypatch.context() as patch:
    patch.setattr(labelled.Form, "example", example)
    code, _, err = command("evaluate", *words)
  assert code == 2
  assert err.count("\n") == 1
  assert "test.jsonl changed while it was read" in err
  assert command("evaluate", *words)[0] == 0


def test_data_of_pairs_of_languages_are_looked_at(tmp_path):
  (tmp_path / "test.en").write_text("one\n")
  found = store.files(f"{tmp_path}:en-de")
  assert list(found) == [f"{tmp_path}/test.en"]
  # An evaluation that is kept beside its data is none of it.
  (tmp_path / "kept").mkdir()
  (tmp_path / "kept" / "results.json").write_text("{}")
  assert store.files(str(tmp_path), f"{tmp_path}/kept") == found
