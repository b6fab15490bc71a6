"""--limit holds for every task: by the seed, items under their own numbers."""

import types

import numpy as np
import pytest

from lm_jax.evaluation import evaluate
from lm_jax.evaluation.flags import EvaluateFlags
from lm_jax.evaluation.plan import TaskPlan
from lm_jax.examples.minimal_pairs import MinimalPair
from lm_jax.support import registry
from lm_jax.tasks import _probe, base, bits_per_byte, minimal_pairs
from lm_jax.types import ABSENT, Likelihood, Rows, Specials

PAIRS = [MinimalPair(f"good {i}", f"bad {i}", "swap") for i in range(40)]


class Scorer:
  """Longer numbers score less; a token's score is its id."""

  scoring = "log_likelihood"
  likelihood = Likelihood("exact", "ids")

  def text_scores(self, texts):
    return np.array([-len(text) for text in texts], float)

  def log_likelihood(self, rows, draw):
    return -np.asarray(rows.tokens_BxL, np.float32)


def _measured(name, dataset, limit, seed=0):
  task = registry.find("lm_jax.tasks", name, base.Task, "--tasks")()
  subject = types.SimpleNamespace(scorer=Scorer(), dataset=dataset)
  asked = EvaluateFlags("m", (name,), limit=limit, seed=seed)
  planned = TaskPlan(name, task, "own", True)
  return evaluate._measured(planned, subject, asked)


def test_minimal_pairs(monkeypatch):
  monkeypatch.setattr(minimal_pairs, "fitting_pairs", lambda *_: PAIRS)
  whole = _measured("minimal_pairs", None, 0)
  few = _measured("minimal_pairs", None, 7)
  assert (len(whole.predictions), len(few.predictions)) == (40, 7)
  assert few.rows[0].items == 7
  by_id = {p["id"]: p for p in whole.predictions}
  assert all(by_id[p["id"]] == p for p in few.predictions)
  other = _measured("minimal_pairs", None, 7, seed=1)
  ids = [[p["id"] for p in found.predictions] for found in (few, other)]
  assert ids[0] != ids[1]
  assert _measured("minimal_pairs", None, 7) == few


def test_bits_per_byte():
  tokens_BxL = np.arange(40)[:, None]
  fields = ("segment_BxL", "word_BxL", "sentence_BxL", "part_BxL")
  blank = {name: np.zeros((16, 1), np.int32) for name in fields}
  padded = np.concatenate([tokens_BxL, np.zeros((8, 1), int)])
  batches = [
    Rows(tokens_BxL=padded[i : i + 16], **blank) for i in range(0, 48, 16)
  ]
  dataset = types.SimpleNamespace(
    fixed=lambda split, batch, limit_rows: batches,
    bytes=lambda split: np.arange(1, 41),
    specials=Specials(unknown=ABSENT),
  )
  found = _measured("bits_per_byte", dataset, 0).rows[0].value
  assert found == pytest.approx(sum(range(40)) / np.log(2) / sum(range(1, 41)))
  chosen = bits_per_byte.records.chosen(range(40), 20, 0)
  few = _measured("bits_per_byte", dataset, 20).rows[0].value
  expected = sum(chosen) / np.log(2) / (sum(chosen) + 20)
  assert few == pytest.approx(expected)


@pytest.mark.parametrize("task", ["era", "party"])
def test_probes(monkeypatch, task):
  passages = [
    types.SimpleNamespace(text=str(i), label=i % 2) for i in range(30)
  ]
  monkeypatch.setattr(_probe, "drawn", lambda corpus, task, split: passages)
  monkeypatch.setattr(
    _probe, "answered", lambda scorer, train, test: [p.label for p in test]
  )
  dataset = types.SimpleNamespace(corpus=None)
  few = _measured(task, dataset, 5)
  assert len(few.predictions) == 5 and few.rows[0].items == 5
  assert all(p["asked"] == p["id"] for p in few.predictions)


def test_every_task_knows_the_limit():
  for name in registry.names("lm_jax.tasks"):
    task = registry.find("lm_jax.tasks", name, base.Task, "--tasks")
    assert (task.limit, task.seed) == (0, 0), name
