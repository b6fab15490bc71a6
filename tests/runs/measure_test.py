import math

import numpy as np
import pytest

from lm_jax.data import rows as rows_lib
from lm_jax.data.corpus import Corpus, Document
from lm_jax.examples.minimal_pairs import MinimalPair
from lm_jax.examples.passages import Passage
from lm_jax.inference import load
from lm_jax.inference.score import Scorer
from lm_jax.language_model import LanguageModel
from lm_jax.runs import measure as evaluate
from lm_jax.tasks import _probe, bits_per_byte
from lm_jax.tasks import minimal_pairs as pairs_task
from lm_jax.training import assemble


class FakeScorer:
  """Scores and features by text."""

  scoring = "log_likelihood"

  def __init__(self, values):
    self.values = values

  def text_scores(self, texts):
    return np.array([self.values[text] for text in texts], np.float64)

  text_features = text_scores


def test_minimal_pairs_count_ties_as_half_and_by_kind(monkeypatch):
  pairs = [
    MinimalPair("a", "b", "swap"),
    MinimalPair("b", "a", "swap"),
    MinimalPair("a", "c", "replace"),
    MinimalPair("a", "d", "replace"),
  ]
  scorer = FakeScorer({"a": -3.0, "b": -3.5, "c": -3.0, "d": -4.0})
  monkeypatch.setattr(pairs_task, "fitting_pairs", lambda *_: pairs)
  found = pairs_task.MinimalPairs().measure(scorer, None)
  assert found.items == {
    "minimal_pairs": [1.0, 0.0, 0.5, 1.0],
    "minimal_pairs/swap": [1.0, 0.0],
    "minimal_pairs/replace": [0.5, 1.0],
  }
  assert found.metrics == {
    "minimal_pairs": 0.625,
    "minimal_pairs/swap": 0.5,
    "minimal_pairs/replace": 0.75,
  }
  assert all(type(x) is float for x in found.metrics.values())
  assert [p["score"] for p in found.predictions] == [1.0, 0.0, 0.5, 1.0]
  assert found.predictions[3]["scores"] == [-3.0, -4.0]


def test_a_model_that_scores_all_alike_is_at_chance(monkeypatch):
  pairs = [MinimalPair("a", "b", "swap")] * 3
  monkeypatch.setattr(pairs_task, "fitting_pairs", lambda *_: pairs)
  scorer = FakeScorer({"a": 0.0, "b": 0.0})
  found = pairs_task.MinimalPairs().measure(scorer, None)
  assert found.metrics["minimal_pairs"] == 0.5


@pytest.fixture(scope="module")
def trained(tiny):
  """A data set, a plan of clm and its model, not trained."""
  config = tiny.config()
  dataset = rows_lib.load(config.data, config.length)
  program = assemble.make_program(config, dataset)
  params = program.initial(np.uint32(0)).params
  model = load.from_plan(config, dataset.tokenizer, program.plan, params)
  return dataset, program.plan, model


def test_bits_per_byte_are_those_of_the_text(trained):
  dataset, plan, model = trained
  scorer = Scorer(model)
  batches = dataset.fixed("validation", 4)
  counts = dataset.bytes("validation")
  found = bits_per_byte.measured(scorer, batches, counts).value

  # Each segment alone, token by token, from the logits, in float64; with a
  # tokenizer of bytes, those are the text's.
  model = LanguageModel(model)
  nats = tokens = 0
  for rows in batches:
    for tokens_L, segment_L in zip(
      rows.tokens_BxL, rows.segment_BxL, strict=True
    ):
      for segment in range(1, segment_L.max() + 1):
        ids_T = tokens_L[segment_L == segment]
        row_L = np.zeros(32, int)
        row_L[: len(ids_T)] = ids_T
        logits_LxV = model.logits(
          row_L[None], (np.arange(32) < len(ids_T))[None].astype(int)
        )[0].astype(np.float64)
        for t in range(1, len(ids_T)):
          if ids_T[t] >= len(plan.spec.specials.ids):  # not the end
            logits_V = logits_LxV[t - 1]
            nats += np.logaddexp.reduce(logits_V) - logits_V[ids_T[t]]
            tokens += 1
  assert tokens == counts.sum() > 200
  expected = nats / math.log(2) / tokens
  assert found == pytest.approx(expected, rel=1e-5)


def test_probe():
  rng = np.random.default_rng(0)
  labels = np.arange(120) % 2
  texts = [str(i) for i in range(240)]
  noise = rng.normal(size=(240, 3)) * [1, 100, 1e-3] + [0, 1000, 0]
  told = np.concatenate([labels, labels])[:, None] * [0, 0, 1e-2]

  def accuracy(features):
    scorer = FakeScorer(dict(zip(texts, features, strict=True)))
    items = [
      Passage(text, int(label))
      for text, label in zip(texts, [*labels, *labels], strict=True)
    ]
    found = _probe.answered(scorer, items[:120], items[120:])
    return np.mean(
      [a == p.label for a, p in zip(found, items[120:], strict=True)]
    )

  # The feature that tells is the smallest: it has to be standardized.
  assert accuracy(noise + told) > 0.95
  assert abs(accuracy(noise) - 0.5) < 0.15


def test_which_tasks_apply(trained, monkeypatch):
  dataset, _, model = trained
  model = Scorer(model)
  found = evaluate.evaluate(model, dataset, evaluate.own_tasks())
  kinds = {"swap", "replace", "inflection"}
  assert set(found.metrics) == {
    "minimal_pairs",
    "bits_per_byte",
    *(f"minimal_pairs/{kind}" for kind in kinds),
  }
  assert len(found.items["minimal_pairs"]) > 10
  # Items keep their texts, for a report's examples.
  kept = [p["score"] for p in found.predictions if p["good"] != p["bad"]]
  assert kept == found.items["minimal_pairs"]
  quick = evaluate.evaluate(model, dataset, evaluate.own_tasks(), quick=True)
  assert set(quick.metrics) <= {*found.metrics} - {"bits_per_byte"}
  assert "minimal_pairs" in quick.metrics

  # Without sentences that fit, and with labels.
  monkeypatch.setattr(pairs_task, "fitting_pairs", lambda *_: [])
  labelled = [Passage("we act so new"[i:], i % 2) for i in range(6)]
  monkeypatch.setattr(_probe, "drawn", lambda *_: labelled)
  assert (
    evaluate.evaluate(model, dataset, evaluate.own_tasks(), quick=True).metrics
    == {}
  )
  found = evaluate.evaluate(model, dataset, evaluate.own_tasks())
  assert set(found.metrics) == {"bits_per_byte", "probe/era", "probe/party"}
  assert set(found.items) == {"probe/era", "probe/party"}
  assert found.predictions == []  # not of long passages


def test_items_are_the_same_for_every_run(trained):
  dataset, plan, _ = trained
  one = pairs_task.fitting_pairs(dataset)
  pairs_task.fitting_pairs.cache_clear()
  pairs_task.drawn.cache_clear()
  assert one == pairs_task.fitting_pairs(dataset)
  longest = max(len(p.good.encode()) for p in one)
  assert longest < plan.spec.length


def test_a_corpus_opened_anew_for_a_run_is_not_read_anew():
  reads = []

  def opened(text, fingerprint):
    def read(split):
      reads.append(split)
      facts = {"year": 1800, "party": "none"}
      yield Document(text, facts)

    return Corpus("sotu", fingerprint, read)

  text = "The people of the states have asked for peace. " * 20
  draws = (pairs_task.drawn, lambda c: _probe.drawn(c, "era", "test"))
  for draw in draws:
    first = draw(opened(text, "a"))
    reads.clear()
    assert draw(opened(text, "a")) == first
    assert not reads
    draw(opened(text, "b"))
    assert reads
