"""Tasks in which a model writes, by a model whose texts are known."""

import ast
import collections
import itertools
import json
import math
import sys

import numpy as np
import pytest

from lm_jax.examples import python_source
from lm_jax.examples.continuation_passages import CONTINUATION, PROMPT, passages
from lm_jax.sandbox import sandbox
from lm_jax.support.errors import UsageError
from lm_jax.tasks import _code, _mauve, _repetition
from lm_jax.tasks.continuations import Continuations
from lm_jax.tasks.humaneval import Humaneval
from lm_jax.tasks.python_functions import PythonFunctions

PROBLEM = {
  "task_id": "Own/0",
  "prompt": 'def twice(x):\n  """Two times x."""\n',
  "entry_point": "twice",
  "test": "def check(f):\n  assert f(2) == 4\n  assert f(-1) == -2\n",
}
RIGHT = "  return 2 * x\n"


class Writer:
  """Writes what a function of a prompt gives."""

  fills = False

  def __init__(self, write):
    self._write = write
    self.options = {}

  def require_generator(self, task):
    pass

  def continuations(self, texts, seed=0, **options):
    self.options = options
    return [self._write(text) for text in texts]

  def text_features(self, texts):
    rng = np.random.default_rng(0)
    letters = rng.normal(size=(256, 8))
    return np.array([letters[list(t.encode())].mean(0) for t in texts])


def humaneval(tmp_path, **attributes):
  path = tmp_path / "problems.jsonl"
  path.write_text(json.dumps(PROBLEM) + "\n")
  task = Humaneval()
  task.place = str(path)
  for name, value in attributes.items():
    setattr(task, name, value)
  return task


def test_nothing_is_run_unless_asked_for(tmp_path, monkeypatch):
  monkeypatch.setattr(sandbox, "run", lambda *_: 1 / 0)
  with pytest.raises(UsageError, match="which --run_generated_code allows"):
    humaneval(tmp_path).measure(Writer(lambda _: [RIGHT]), None)


@pytest.mark.skipif(sys.platform != "linux", reason="needs seccomp")
def test_humaneval(tmp_path):
  texts = [
    RIGHT,
    f"{RIGHT}\ndef other():\n  oh no",  # is cut
    "  return x + 2\n",
    "  while True: pass\n",
    "  open('x', 'w')\n  return 2 * x\n",
  ]
  task = humaneval(tmp_path, run_generated_code=True, samples=len(texts))
  writer = Writer(lambda _: texts)
  found = task.measure(writer, None)
  assert found.metrics == {"humaneval/pass@1": 0.4, "humaneval/items": 1.0}
  assert writer.options["num_return_sequences"] == 5
  assert writer.options["temperature"] == 0.8
  (told,) = found.predictions
  assert [o == "passed" for o in told["outcomes"]] == [True] * 2 + [False] * 3
  assert "AssertionError" in told["outcomes"][2]
  assert "seconds" in told["outcomes"][3]
  assert "PermissionError" in told["outcomes"][4]
  assert told["score"] == 0.4
  assert told["confined"].startswith("seccomp")


def test_pass_at_k_is_the_share_of_all_draws():
  for n, c, k in itertools.product(range(1, 7), range(7), range(1, 7)):
    if c <= n and k <= n:
      draws = list(itertools.combinations(range(n), k))
      share = np.mean([any(i < c for i in draw) for draw in draws])
      assert _code.pass_at_k(n, c, k) == pytest.approx(share)


def test_a_line_is_left_out_of_a_function(tmp_path):
  source = (
    'def f(x):\n  """Says what it does, at length."""\n  # a comment here\n'
    "  first = x + 12345\n  return first * 2\n\n"
    "class C:\n  def short(self): 1\n"
  )
  (tmp_path / "a.py").write_text(source)
  (tmp_path / "broken.py").write_text("def f(:")
  (tmp_path / "none.py").write_text("x = 1\n")
  lines = set()
  for seed in range(8):
    (hole,) = python_source.holes(str(tmp_path), "--x", 9, seed)
    whole = hole.before + hole.line + hole.after
    assert whole in source
    ast.parse(whole)
    lines.add(hole.line)
  assert lines == {"first = x + 12345", "return first * 2"}
  with pytest.raises(UsageError, match="--x: is no directory"):
    python_source.holes(str(tmp_path / "a.py"), "--x", 9, 0)
  (tmp_path / "a.py").unlink()
  with pytest.raises(UsageError, match="no .py file with a function"):
    python_source.holes(str(tmp_path), "--x", 9, 0)


def test_the_standard_library_has_functions_enough():
  one = python_source.holes("", "--x", 5, 0)
  assert len({hole.id.partition(":")[0] for hole in one}) == 5
  assert one == python_source.holes("", "--x", 5, 0)
  assert one != python_source.holes("", "--x", 5, 1)


def test_python_functions(tmp_path):
  for name in "ab":
    (tmp_path / f"{name}.py").write_text(
      "def f(x):\n  y = x + 1000\n  y = x + 1000\n  y = x + 1000\n"
    )
  task = PythonFunctions()
  task.place = str(tmp_path)
  writer = Writer(lambda _: ["y=x+1000\n  more"])
  found = task.measure(writer, None)
  assert found.metrics["python_functions/go_on/exact"] == 1.0
  assert 0.6 < found.metrics["python_functions/go_on/similarity"] < 1.0
  assert writer.options["stop_strings"] == ("\n",)
  writer.fills = True
  asked = []
  writer.token_count = len
  writer.fill = lambda a, count, b: (
    asked.append((a, count, b)) or "y = x + 1001"
  )
  found = task.measure(writer, None)
  assert found.metrics["python_functions/fill/exact"] == 0.0
  similar = found.metrics["python_functions/fill/similarity"]
  assert similar == pytest.approx(11 / 12)
  assert {count for _, count, _ in asked} == {len("y = x + 1000")}
  assert all(b.startswith("\n") or not b for _, _, b in asked)


def test_similarity_is_that_of_the_least_edits():
  def edits(a, b):
    if not a or not b:
      return len(a) + len(b)
    change = edits(a[1:], b[1:]) + (a[0] != b[0])
    return min(edits(a[1:], b) + 1, edits(a, b[1:]) + 1, change)

  texts = ["", "a", "ab", "abca", "bcaa", "xaby", "é1"]
  for one, other in itertools.product(texts, texts):
    wanted = 1 - edits(one, other) / max(len(one), len(other), 1)
    assert _code.similarity(one, other) == pytest.approx(wanted)


def test_the_area_is_that_of_the_curve():
  """Against the integral of its definition, with many more points."""
  rng = np.random.default_rng(0)
  for _ in range(5):
    p, q = rng.dirichlet([0.3] * 6), rng.dirichlet([0.3] * 6)
    r = np.linspace(0, 1, 20_001)[1:-1, None] * (p - q) + q
    with np.errstate(divide="ignore", invalid="ignore"):
      kl_p = np.nansum(np.where(p > 0, p * np.log(p / r), 0), 1)
      kl_q = np.nansum(np.where(q > 0, q * np.log(q / r), 0), 1)
    x = np.concatenate([[0], np.exp(-5 * kl_q), [1]])
    y = np.concatenate([[1], np.exp(-5 * kl_p), [0]])
    order = np.argsort(x, kind="stable")
    exact = np.trapezoid(y[order], x[order])
    assert _mauve.area(p, q) == pytest.approx(exact, abs=0.03)
    assert _mauve.area(p, q) == pytest.approx(_mauve.area(q, p))
  assert _mauve.area(p, p) == pytest.approx(1.0)
  apart = np.eye(2)
  assert _mauve.area(apart[0], apart[1]) < 0.01


def test_mauve_tells_how_near_two_sets_are():
  rng = np.random.default_rng(0)
  one, same = rng.normal(size=(2, 100, 6))
  shift = np.zeros(6)
  found = []
  for far in (0.0, 2.0, 4.0):
    shift[0] = far
    found.append(_mauve.mauve(one, same + shift))
  assert found[0] > 0.85
  assert found[0] > found[1] + 0.1 > found[2] + 0.2
  p, q = _mauve.histograms(one, same, 0)
  assert len(p) == 10
  assert [p.sum(), q.sum()] == pytest.approx([1.0, 1.0])
  # All alike, and fewer than clusters.
  assert _mauve.mauve(np.ones((40, 3)), np.ones((30, 3))) == pytest.approx(1.0)


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore")
def test_mauve_is_that_of_its_authors():
  """Their package is under the GPL: nothing of it is used but here."""
  theirs = pytest.importorskip("mauve")
  rng = np.random.default_rng(0)
  for far in (0.0, 0.3, 1.0):
    one, other = rng.normal(size=(2, 300, 24)).astype(np.float32)
    other[:, 0] += far
    found = theirs.compute_mauve(p_features=one, q_features=other)
    area = _mauve.area(found.p_hist, found.q_hist)
    assert area == pytest.approx(found.mauve, abs=1e-9)
    own = [_mauve.mauve(one, other, seed) for seed in range(5)]
    others = [
      theirs.compute_mauve(p_features=one, q_features=other, seed=seed).mauve
      for seed in range(5)
    ]
    assert np.mean(own) == pytest.approx(np.mean(others), abs=0.05)


def test_repetition_and_distinct_by_their_definitions():
  texts = ["a b a b a b a", "the same the same", "none", ""]
  for n in (1, 2, 3, 4):
    shares, all_grams, words = [], [], 0
    for text in texts:
      split = text.split()
      words += len(split)
      grams = [tuple(split[i : i + n]) for i in range(len(split) - n + 1)]
      all_grams += grams
      counts = collections.Counter(grams)
      again = sum(count - 1 for count in counts.values())
      shares.append(again / len(grams) if grams else 0.0)
    assert _repetition.repetition(texts, n) == pytest.approx(np.mean(shares))
    wanted = len(set(all_grams)) / words
    assert _repetition.distinct(texts, n) == pytest.approx(wanted)


def test_passages_do_not_overlap():
  words = [f"w{i}" for i in range(2 * (PROMPT + CONTINUATION) + 5)]
  found = list(passages([("d", " ".join(words)), ("short", "a b")]))
  assert [p.id for p in found] == ["d:0", f"d:{PROMPT + CONTINUATION}"]
  said = " ".join(f"{p.prompt} {p.true}" for p in found).split()
  assert said == words[: len(said)]
  assert len(found[0].prompt.split()) == PROMPT


def test_continuations(tmp_path):
  rng = np.random.default_rng(0)
  names = [f"word{i}" for i in range(50)]
  size = PROMPT + CONTINUATION
  with (tmp_path / "docs.jsonl").open("w") as file:
    for _ in range(30):
      text = " ".join(rng.choice(names, size))
      file.write(json.dumps({"text": text}) + "\n")
  task = Continuations()
  task.place = str(tmp_path / "docs.jsonl")
  assert not task.reads_corpus
  writer = Writer(lambda prompt: ["again and " * 80])
  found = task.measure(writer, None).metrics
  assert writer.options["top_p"] == 0.95
  assert writer.options["do_sample"]
  assert found["continuations/rep_4"] == pytest.approx(1 - 2 / 61)
  assert found["continuations/distinct_1"] == pytest.approx(2 / (30 * 64))
  assert found["continuations/true/rep_4"] < 0.01
  assert found["continuations/mauve_own"] < 0.1
  assert found["continuations/items"] == 30
  task.embedder = writer
  told = task.measure(writer, None)
  assert "continuations/mauve_own" not in told.metrics
  assert told.metrics["continuations/mauve"] < 0.1
  assert len(told.predictions) == 30
  assert not math.isnan(told.predictions[0]["score"])
  task.limit = 1
  with pytest.raises(UsageError, match="fewer than 2 passages of 96 words"):
    task.measure(writer, None)
