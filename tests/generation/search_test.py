"""Searches by their definitions, everything read again for each token."""

import dataclasses

import jax
import numpy as np
import pytest
from scipy import special, stats

import lm_jax
from lm_jax.generation import prompts
from lm_jax.generation.generate import Generator
from lm_jax.generation.options import Generation
from lm_jax.support.errors import UsageError

PROMPTS = ("The law of my", "We", "In the acts we are")
# Tokens beyond these are not among the best texts of the test's model.
WIDTH = 12


@pytest.fixture(scope="module")
def model(tiny):
  return tiny.model


def _ids(model):
  """What is read of the first prompt."""
  return prompts.encode(model, PROMPTS[:1], 0, "")[0]


def _padded(rows):
  """Rows of one length, all in one shape: decoders see nothing behind them."""
  return np.array([[*row, *[9] * (32 - len(row))] for row in rows])


def _log_p(model, rows):
  """Log-probabilities [N, V] of what comes behind rows of one length."""
  logits = lm_jax.LanguageModel(model).logits(_padded(rows))
  last = logits[:, len(rows[0]) - 1].astype(np.float64)
  return special.log_softmax(last, axis=1)


def _all_scores(model, length, ends):
  """Log-probability of every continuation that ends or has `length`."""
  start = _ids(model)
  found, level = {}, {(): 0.0}
  for _ in range(length):
    rows = [[*start, *new] for new in level]
    grown = {}
    for (new, score), row in zip(
      level.items(), _log_p(model, rows), strict=True
    ):
      for token in np.argsort(-row)[:WIDTH].tolist():
        kept = found if token in ends else grown
        kept[(*new, token)] = score + row[token]
    level = grown
  return found | level


def test_many_beams_find_the_best_of_all_texts(model):
  made = model(spread=3.0)
  generator = Generator(made)
  asked = Generation(
    max_new_tokens=2,
    num_beams=40,
    num_return_sequences=3,
    length_penalty=0.0,
    early_stopping="never",
  )
  ends = generator._ends(asked)
  scores = _all_scores(made, 2, ends)
  best = sorted(scores, key=scores.__getitem__, reverse=True)[:3]
  found = generator.generate(PROMPTS[:1], asked)
  assert [tuple(x.ids) for x in found] == best
  for result in found:
    assert result.score == pytest.approx(scores[tuple(result.ids)], abs=1e-4)


def test_groups_of_beams_by_their_definition(model):
  """Vijayakumar et al. 2018, algorithm 1, one beam a group: each takes the
  likeliest token less the penalty for those that earlier groups took."""
  made = model(spread=3.0)
  generator = Generator(made)
  groups, length, penalty = 3, 5, 4.0
  ids = _ids(made)
  texts = [[] for _ in range(groups)]
  sums = [0.0] * groups
  for _ in range(length):
    taken = []
    for group in range(groups):
      (log_p,) = _log_p(made, [ids + texts[group]])
      log_p = np.array(
        [x - penalty * taken.count(i) for i, x in enumerate(log_p)]
      )
      token = int(log_p.argmax())
      taken.append(token)
      texts[group].append(token)
      sums[group] += log_p[token]
  found = generator.generate(
    PROMPTS[:1],
    Generation(
      max_new_tokens=length,
      min_new_tokens=0,
      num_beams=groups,
      num_beam_groups=groups,
      num_return_sequences=groups,
      diversity_penalty=penalty,
      length_penalty=0.0,
      eos_token_id=(1,),
    ),
  )
  assert not any(1 in text for text in texts)
  assert {tuple(x.ids) for x in found} == set(map(tuple, texts))
  assert sorted(x.score for x in found) == pytest.approx(sorted(sums), abs=1e-3)


def test_contrastive_search_by_its_definition(model):
  """Su et al. 2022, equation 5, everything read again for each candidate."""
  made = model(spread=2.0)
  alpha, k, length = 0.6, 5, 8
  ids = _ids(made)
  text = list(ids)

  def units(rows):
    """States of the tokens, of length 1."""
    size = len(rows[0])
    states = lm_jax.LanguageModel(made).hidden(_padded(rows))[:, :size]
    return states / np.linalg.norm(states, axis=-1, keepdims=True)

  for _ in range(length):
    p = np.exp(_log_p(made, [text])[0])
    (before,) = units([text])
    tokens = np.argsort(-p)[:k].tolist()
    best = {
      token: (1 - alpha) * p[token] - alpha * (before @ state[-1]).max()
      for token, state in zip(
        tokens, units([[*text, token] for token in tokens]), strict=True
      )
    }
    text.append(max(best, key=best.__getitem__))
  found = Generator(made).generate(
    PROMPTS[:1],
    Generation(
      max_new_tokens=length, penalty_alpha=alpha, top_k=k, eos_token_id=(1,)
    ),
  )[0]
  assert 1 not in text[len(ids) :]
  assert found.ids == text[len(ids) :]
  # Several prompts at once do not disturb one another.
  asked = Generation(max_new_tokens=6, penalty_alpha=alpha, top_k=k)
  together = Generator(made).generate(PROMPTS, asked)
  alone = [Generator(made).generate([t], asked)[0] for t in PROMPTS]
  assert [x.ids for x in together] == [x.ids for x in alone]


def _other(model):
  """The same model with other parameters, near enough to guess some."""
  rng = np.random.default_rng(5)
  params = jax.tree.map(
    lambda x: x + 0.15 * rng.normal(0, 1, x.shape) * np.std(x), model.params
  )
  return dataclasses.replace(model, params=params)


def test_a_draft_does_not_change_greedy_search(model):
  made = model()
  plain = Generator(made)
  guessing = Generator(made, draft=_other(made))
  for count in (1, 2, 4):
    asked = Generation(max_new_tokens=20, draft_tokens=count)
    expected = plain.generate(PROMPTS, asked)
    found = guessing.generate(PROMPTS, asked)
    assert [x.ids for x in found] == [x.ids for x in expected]
    assert [x.finish for x in found] == [x.finish for x in expected]
    assert 0 < guessing.accepted < guessing.proposed
  same = Generator(made, draft=made)
  same.generate(PROMPTS, asked)
  assert same.accepted == same.proposed > 0


def test_a_draft_does_not_change_the_distribution(model):
  """Chi-square over the pairs of the second and third token."""
  made = model(spread=1.0)
  guessing = Generator(made, draft=_other(made))
  asked = Generation(
    max_new_tokens=3,
    do_sample=True,
    top_k=3,
    draft_tokens=2,
    num_return_sequences=1500,
    eos_token_id=(1,),
  )
  found = guessing.generate(PROMPTS[:1], asked)
  assert 0.05 < guessing.accepted / guessing.proposed < 0.98
  ids = _ids(made)

  def likely(text):
    (logs,) = _log_p(made, [text])
    top = np.argsort(-logs)[:3]
    return dict(zip(top.tolist(), special.softmax(logs[top]), strict=True))

  expected = {
    (a, b, c): p * q * r
    for a, p in likely(ids).items()
    for b, q in likely([*ids, a]).items()
    for c, r in likely([*ids, a, b]).items()
  }
  seen = [tuple(x.ids) for x in found]
  assert set(seen) <= set(expected)
  counts = np.array([seen.count(key) for key in expected])
  means = len(seen) * np.array(list(expected.values()))
  rare = means < 5
  if rare.any():
    counts = np.append(counts[~rare], counts[rare].sum())
    means = np.append(means[~rare], means[rare].sum())
  assert stats.chisquare(counts, means).pvalue > 1e-3
  for result in found[:5]:
    key = tuple(result.ids)
    assert result.score == pytest.approx(np.log(expected[key]), abs=1e-4)


def test_a_draft_must_read_what_the_model_reads(model):
  with pytest.raises(UsageError, match="reads a prompt in another way"):
    Generator(model(), draft=model("prefix_lm"))
  guessing = Generator(model(), draft=model())
  with pytest.raises(UsageError, match="num_beams=2: does not go with a draft"):
    guessing.generate(PROMPTS[:1], Generation(num_beams=2))
