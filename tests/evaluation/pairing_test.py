"""`launch.py report --predictions --baseline`, as a user calls it."""

import csv
import html.parser
import io
import json
import re

import numpy as np
import pytest
from scipy import stats

from lm_jax.statistics import items

EVIL = "<script>alert(1)</script><img src=x onerror=y>|`*_[a](javascript:b)"
ARABIC = "ما هي عاصمة فرنسا؟ (Paris)"


@pytest.fixture
def report(command):
  return lambda *words: command("report", *words)


def _write(path, scores, task="qa", more=None, mode="w"):
  with path.open(mode, encoding="utf-8") as file:
    for number, score in enumerate(scores):
      record = {"task": task, "id": str(number), "score": score}
      record |= {"asked": f"question {number}", "right": f"r{number}"}
      record["answer"] = f"r{number}" if score == 1 else f"{path.stem}{number}"
      record |= (more or {}).get(number, {})
      file.write(json.dumps(record, ensure_ascii=False) + "\n")
  return path


@pytest.fixture
def files(tmp_path):
  """Two models and a baseline on two tasks, and their scores."""
  rng = np.random.default_rng(0)
  binary = {
    name: (rng.random(40) < share).astype(float)
    for name, share in (("base", 0.4), ("one", 0.8), ("two", 0.5))
  }
  graded = {
    name: rng.choice([0, 0.25, 0.5, 1], 30) for name in ("base", "one", "two")
  }
  for name in binary:
    path = tmp_path / f"{name}.jsonl"
    _write(path, binary[name].tolist())
    _write(path, graded[name].tolist(), "f1", mode="a")
  return tmp_path, binary, graded


def _words(folder, *names):
  return [
    *(f"--predictions={folder / name}.jsonl" for name in names),
    f"--baseline={folder / 'base.jsonl'}",
  ]


def test_numbers_are_those_of_the_definitions(files, report):
  folder, binary, graded = files
  code, out, _ = report(*_words(folder, "one", "two"), "--format=json")
  assert code == 0
  found = json.loads(out)["pairs"]
  assert [(p["model"], p["task"]) for p in found] == [
    *(("one", "qa"), ("one", "f1"), ("two", "qa"), ("two", "f1"))
  ]
  for pair in found:
    scores = binary if pair["task"] == "qa" else graded
    mine, theirs = scores[pair["model"]], scores["base"]
    difference = mine - theirs
    assert pair["items"] == len(mine)
    assert pair["model_value"] == pytest.approx(mine.mean())
    assert pair["difference_value"] == pytest.approx(difference.mean())
    low, high = stats.t.interval(
      0.95, len(mine) - 1, difference.mean(), stats.sem(difference)
    )
    ends = pair["difference_low"], pair["difference_high"]
    assert ends == pytest.approx((low, high))
    assert pair["only_model"] == (difference > 0).sum()
    assert pair["only_baseline"] == (difference < 0).sum()
    assert pair["both_right"] == ((mine == 1) & (theirs == 1)).sum()
    assert pair["neither"] == ((mine == 0) & (theirs == 0)).sum()
    counts = ("both_right", "only_model", "only_baseline", "neither", "alike")
    assert sum(pair[name] for name in counts) == len(mine)
    if pair["task"] == "qa":
      wins, losses = pair["only_model"], pair["only_baseline"]
      exact = stats.binomtest(int(wins), int(wins + losses)).pvalue
      assert pair["p"] == pytest.approx(exact)
    else:
      assert pair["p"] == items.sign_flip(difference)
  assert [p["p_holm"] for p in found] == items.holm([p["p"] for p in found])
  assert found[0]["p_holm"] < 0.05

  code, out, _ = report(*_words(folder, "one", "two"), "--format=csv")
  rows = list(csv.DictReader(io.StringIO(out)))
  assert [float(r["p_holm"]) for r in rows] == [p["p_holm"] for p in found]
  code, out, _ = report(*_words(folder, "one"))
  assert code == 0 and "one is better than base on qa" in out
  assert "These checkpoints only" in out
  assert max(map(len, out.splitlines())) <= 100


class _Page(html.parser.HTMLParser):
  """Tags, and the articles' classes and texts."""

  def __init__(self, text):
    super().__init__()
    self.tags, self.articles, self.text = [], [], ""
    self.feed(text)

  def handle_starttag(self, tag, attributes):
    self.tags.append((tag, dict(attributes)))
    if tag == "article":
      self.articles.append([dict(attributes)["class"], ""])

  def handle_data(self, data):
    self.text += data
    if self.articles:
      self.articles[-1][1] += data


def test_the_page_shows_where_they_differ_and_nothing_runs(tmp_path, report):
  texts = {
    0: {"asked": {"question": EVIL, "context": "x" * 50_000}, "right": ARABIC},
    1: {"asked": ARABIC + "\u202e\x1b[31m"},
  }
  mine = [1, 1, 0, 0] + [1] * 60 + [0]
  theirs = [0, 0, 1, 0] + [0] * 60 + [0]
  texts[5] = {"id": EVIL}
  _write(tmp_path / "one.jsonl", mine, more=texts)
  _write(tmp_path / "base.jsonl", theirs, more=texts)
  page_dir = tmp_path / "page"
  words = [*_words(tmp_path, "one"), f"--workdir={page_dir}"]
  assert report(*words)[0] == 0
  text = (page_dir / "report.html").read_text()
  page = _Page(text)
  tags = {tag for tag, _ in page.tags}
  assert not tags & {"script", "a", "link", "iframe", "object"}
  for tag, attributes in page.tags:
    assert not [name for name in attributes if name.startswith("on")]
    if tag == "img":
      assert attributes["src"].startswith("data:image/svg+xml")
  assert "\u202e" not in text and "\x1b" not in text and len(text) < 200_000
  by_group = {}
  for kind, shown in page.articles:
    by_group.setdefault(kind, []).append(shown)
  # The better ones, of which some are left out; the worse one; both wrong.
  assert {k: len(v) for k, v in by_group.items()} == {
    "g0": 30,
    "g1": 1,
    "g2": 2,
  }
  assert "32 are left out" in page.text
  first = by_group["g0"][0]
  assert "alert(1)" in first and ARABIC in first and "characters more" in first
  assert "one0" not in by_group["g1"][0] and "one2" in by_group["g1"][0]
  # Each group has a button, and a rule that hides the others.
  buttons = [a for tag, a in page.tags if tag == "input"]
  assert [b.get("class") for b in buttons] == [None, "g0", "g1", "g2"]
  assert ".g1:checked ~ article:not(.g1) { display: none; }" in text
  markdown = (page_dir / "report.md").read_text()
  assert "<script" not in re.sub(r"(?s)(`{3,})\w*\n.*?\n\1\n", "", markdown)

  before = {p: p.read_bytes() for p in page_dir.rglob("*") if p.is_file()}
  assert report(*words)[0] == 0
  assert {p: p.read_bytes() for p in before} == before
  (tmp_path / "two.jsonl").write_bytes((tmp_path / "one.jsonl").read_bytes())
  code, _, error = report(*_words(tmp_path, "two"), words[-1])
  assert code == 2 and "a comparison of other predictions" in error
  code, _, error = report(*words[:2], f"--workdir={tmp_path}")
  assert code == 2 and "holds no comparison" in error


@pytest.mark.parametrize("scores", [[], [1.0], [0.5] * 6, [3.5, -2.0, 1.0]])
def test_odd_scores_have_a_page_too(scores, tmp_path, report):
  _write(tmp_path / "one.jsonl", scores)
  _write(tmp_path / "base.jsonl", scores)
  words = [*_words(tmp_path, "one"), f"--workdir={tmp_path / 'page'}"]
  code, out, error = report(*words)
  if not scores:
    assert code == 2 and "holds no predictions" in error
    return
  assert code == 0 and "not shown to differ" in out
  page = (tmp_path / "page" / "report.html").read_text()
  assert "Nowhere" in page or "equal scores, other" in page


def test_draws_are_averaged_and_shots_kept_apart(tmp_path, report):
  def record(shots, draw, number, score):
    return json.dumps(
      {"task": "t", "id": number, "score": score, "shots": shots, "draw": draw}
    )

  one = [record(0, 0, 1, 1), record(4, 0, 1, 1), record(4, 1, 1, 0)]
  two = [record(4, 0, 1, 0), record(8, 0, 1, 1)]
  (tmp_path / "one.jsonl").write_text("\n".join(one))
  (tmp_path / "base.jsonl").write_text("\n".join(two))
  _, out, _ = report(*_words(tmp_path, "one"), "--format=json")
  found = json.loads(out)
  (pair,) = found["pairs"]
  assert (pair["shots"], pair["model_value"], pair["items"]) == (4, 0.5, 1)
  assert len(found["notes"]) == 2
  # The only settings of both are compared, whatever they are.
  (tmp_path / "one.jsonl").write_text(one[0])
  (tmp_path / "base.jsonl").write_text(two[1])
  _, out, _ = report(*_words(tmp_path, "one"), "--format=json")
  (pair,) = json.loads(out)["pairs"]
  assert (pair["shots"], pair["baseline_shots"]) == (0, 8)


@pytest.mark.parametrize(
  ("line", "message"),
  [
    ("{", "one.jsonl, line 3: not JSON"),
    ("[1]", "one.jsonl, line 3: must be an object"),
    ('{"task": "qa", "id": "2"}', 'line 3: no field "score"'),
    ('{"task": "qa", "id": "2", "score": "1"}', "score='1': must be a number"),
    ('{"task": "qa", "id": "2", "score": NaN}', "line 3: not JSON: NaN"),
    ('{"task": "qa", "id": "2", "score": true}', "score=True: must be a"),
    ('{"task": "qa", "id": "2", "score": 1e999}', "is too large"),
    ('{"task": "qa", "id": [2], "score": 1}', "id=[2]: must be a text"),
    ('{"task": "qa", "id": "1", "score": 1}', "qa: id '1' twice"),
    ('{"task": "qa", "id": "2", "score": 1, "shots": "a"}', "shots='a'"),
    ("", "qa: has 2 items, and --baseline="),
    ('{"task": "qa", "id": "7", "score": 1}', "only it has id '7'"),
    (
      '{"task": "qa", "id": "2", "score": 1, "right": "r1"}',
      "id '2': another right answer than in",
    ),
    (
      '{"task": "qa", "id": "2", "score": 1, "asked": "what?"}',
      "id '2': another question than in",
    ),
    (b'{"task": "\xff"}', "line 3: is not UTF-8"),
  ],
)
def test_damaged_predictions_are_one_line(line, message, tmp_path, refused):
  _write(tmp_path / "base.jsonl", [1, 0, 1])
  path = _write(tmp_path / "one.jsonl", [1, 0])
  data = line if isinstance(line, bytes) else line.encode()
  path.write_bytes(path.read_bytes() + data + b"\n")
  words = [*_words(tmp_path, "one"), f"--workdir={tmp_path / 'page'}"]
  refused(["report", *words], message)
  assert not (tmp_path / "page").exists()


def test_bad_flags_are_one_line(files, refused):
  folder, _, _ = files
  one, base = _words(folder, "one")
  _write(folder / "other.jsonl", [1], "nli")
  for words, message in (
    ([one], "--baseline: needed"),
    ([base], "--predictions: needed"),
    ([one, one, base], "is named twice"),
    ([one, f"--baseline={folder / 'one.jsonl'}"], "is named twice"),
    (_words(folder, "none"), "none.jsonl: cannot be read"),
    ([f"--predictions={folder}", base], "has no results.json"),
    (_words(folder, "other"), "has nli, and --baseline="),
    ([one, base, "--format=xml"], "--format=xml: unknown"),
    ([one, base, f"--workdir={folder / 'one.jsonl'}"], "is not a directory"),
  ):
    refused(["report", *words], message)
