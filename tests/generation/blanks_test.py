"""Blanks that are filled: their probabilities, and whole sentences."""

import numpy as np
import pytest
from scipy import special

import lm_jax
from lm_jax.support.errors import UsageError


@pytest.fixture(scope="module")
def model(tiny):
  return tiny.model


def test_models_that_can_not(model):
  with pytest.raises(UsageError, match="fills blanks"):
    lm_jax.LanguageModel(model("mlm")).generate(["The laws"])
  with pytest.raises(UsageError, match="does not fill blanks"):
    lm_jax.LanguageModel(model("clm")).fill("[MASK]")


def test_blanks_have_the_model_s_own_probabilities(model):
  made = model("mlm")
  lm = lm_jax.LanguageModel(made)
  text = "The [MASK] of my [MASK]"
  ids = [
    *made.spec.specials.before,
    *made.tokenizer.encode(text, parse_special=True),
    *made.spec.specials.after,
  ]
  logits = lm.logits(np.array([ids]))[0].astype(np.float64)
  places = [i for i, t in enumerate(ids) if t == made.spec.specials.mask]
  found = lm.fill(text, top_k=4)
  assert len(found) == len(places) == 2
  for at, blank in zip(places, found, strict=True):
    p = special.softmax(logits[at])
    assert [c.token for c in blank] == np.argsort(-p)[:4].tolist()
    assert [c.probability for c in blank] == pytest.approx(
      sorted(p, reverse=True)[:4], rel=1e-4
    )


@pytest.mark.parametrize("objective", ["mlm", "hybrid", "permutation_lm"])
def test_a_blank_is_told_as_its_token_is_scored(model, objective):
  options = {"pseudo_likelihood": "original"}
  made = model(objective, objective_options=options)
  lm = lm_jax.LanguageModel(made)
  text = "The law of my people"
  ids = made.tokenizer.encode(text)
  vocabulary = made.spec.vocabulary
  scores = lm.score([text], per_token=True)[0]
  tried = 0
  for at, token in enumerate(ids):
    before, after = map(made.tokenizer.decode, (ids[:at], ids[at + 1 :]))
    blanked = f"{before}[MASK]{after}"
    wanted = [*ids[:at], made.spec.specials.mask, *ids[at + 1 :]]
    if made.tokenizer.encode(blanked, parse_special=True) != wanted:
      continue  # What is around a blank is cut in another way.
    found = lm.fill(blanked, vocabulary)[0]
    p = next(c.probability for c in found if c.token == token)
    assert np.log(p) == pytest.approx(scores[at], rel=1e-4, abs=1e-5)
    tried += 1
  assert tried > 3


@pytest.mark.parametrize(
  "objective", ["mlm", "rtd", "hybrid", "permutation_lm"]
)
def test_sentences_have_no_blanks_left(model, objective):
  lm = lm_jax.LanguageModel(model(objective))
  for steps in (1, 3, 20):
    found = lm.fill_sentence("The [MASK] of [MASK] [MASK] are", steps)
    assert "[MASK]" not in found and found.startswith("The")
