"""Adapted models go on with texts: the cache, positions, what is seen."""

import adapting
import foreign_directories
import numpy as np
import pytest

from lm_jax.generation.generate import Generator
from lm_jax.generation.options import Generation
from lm_jax.inference import load
from lm_jax.language_model import LanguageModel
from lm_jax.support.errors import UsageError

PROMPTS = [[9, 12, 10, 15, 11], [14, 9]]
NEW = 4
ONE_LAYER = {
  "gpt2": {"n_layer": 1},
  "llama": {"num_hidden_layers": 1},
  "bert": {"num_hidden_layers": 1},
  "t5": {"num_layers": 1},
  "bart": {"encoder_layers": 1, "decoder_layers": 1},
  "xlnet": {"n_layer": 1},
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
  """A function from a family's name to a directory of it, of one layer."""
  folder, made = tmp_path_factory.mktemp("theirs"), set()

  def build(name):
    if name not in made:
      foreign_directories.build(name, folder / name, **ONE_LAYER[name])
      made.add(name)
    return str(folder / name)

  return build


def _adapted(directory, name, method):
  return adapting.model(directory(name), adapting.make(method), scale=1.0)


@pytest.mark.parametrize(
  ("name", "method"),
  [
    ("gpt2", "soft_prompt"),
    ("llama", "prefix_tuning"),
    ("t5", "soft_prompt"),
    ("bart", "p_tuning_v2"),
  ],
)
def test_a_cache_changes_nothing(name, method, directory):
  """Each new token is what all before it, read together, say.

  Of prompts of two lengths, so that one has padding before it.
  """
  model = _adapted(directory, name, method)
  lm = LanguageModel(model)
  options = Generation(max_new_tokens=NEW, eos_token_id=(0,))
  found = Generator(model).continue_ids(PROMPTS, options)
  plain = Generator(load.load(directory(name)))
  bare = plain.continue_ids(PROMPTS, options)
  for prompt, result, other in zip(PROMPTS, found, bare, strict=True):
    new = result.ids
    if model.spec.architecture == "encoder_decoder":
      start = model.spec.specials.start
      read = np.array([[start, *new]])
      logits = lm.logits(np.array([prompt]), decoder_input_ids=read)[0]
    else:
      logits = lm.logits(np.array([prompt + new]))[0, len(prompt) - 1 :]
    assert logits.argmax(-1)[: len(new)].tolist() == new
    # The tokens alone may be the same by chance.
    total = _total(logits[: len(new)], new)
    assert result.score == pytest.approx(total, abs=1e-4)
    assert other.score != pytest.approx(total, abs=1e-2)


def test_a_draft_without_it_guesses_ahead(directory):
  """What is sampled has the probability that reading all of it gives."""
  model = _adapted(directory, "gpt2", "soft_prompt")
  draft = load.load(directory("gpt2"))
  options = Generation(
    max_new_tokens=NEW, eos_token_id=(0,), do_sample=True, top_k=0
  )
  for result in Generator(model, draft=draft).continue_ids(PROMPTS, options):
    prompt = PROMPTS[result.prompt]
    ids = np.array([prompt + result.ids])
    logits = LanguageModel(model).logits(ids)[0, len(prompt) - 1 : -1]
    assert result.score == pytest.approx(_total(logits, result.ids), abs=1e-4)


def _total(logits_TxV, ids):
  """log p of each token, summed."""
  logits_TxV = logits_TxV.astype(np.float64)
  log_T = np.log(np.exp(logits_TxV).sum(-1))
  return (logits_TxV[np.arange(len(ids)), ids] - log_T).sum()


@pytest.mark.parametrize("method", ["soft_prompt", "p_tuning_v2"])
def test_the_context_is_shorter_by_what_is_ahead(method, directory):
  """GPT-2 has 64 positions; 4 of them are taken."""
  model = _adapted(directory, "gpt2", method)
  lm = LanguageModel(model)
  whole = np.full((1, 60), 9)
  assert np.isfinite(lm.logits(whole)).all()
  with pytest.raises(UsageError, match="60 learned positions behind the 4"):
    lm.logits(np.full((1, 61), 9))
  with pytest.raises(UsageError, match="between 0 and 59"):
    lm.logits(whole, position_ids=1 + np.arange(60)[None])
  short = Generation(max_new_tokens=1)
  assert len(Generator(model).continue_ids([[9] * 60], short)[0].ids) == 1
  with pytest.raises(UsageError, match="room for 60"):
    Generator(model).continue_ids([[9] * 61], short)
  with pytest.raises(UsageError, match="room for 60"):
    lm.generate(["a " * 70], max_new_tokens=1)


def test_an_encoder_reads_behind_it(directory):
  """Padding on either side changes nothing."""
  for method in ("soft_prompt", "p_tuning_v2"):
    lm = LanguageModel(_adapted(directory, "bert", method))
    padded = np.array([[0, 0, 9, 12, 10], [9, 12, 10, 0, 0]])
    mask = np.array([[0, 0, 1, 1, 1], [1, 1, 1, 0, 0]])
    alone = lm.logits(np.array([[9, 12, 10]]))[0]
    both = lm.logits(padded, mask)
    np.testing.assert_allclose(both[0, 2:], alone, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(both[1, :3], alone, rtol=1e-4, atol=1e-4)
  assert lm.embed(["the fox"]).shape == (1, 32)
  assert np.isfinite(lm.score(["the fox"])).all()


def test_xlnet_has_soft_prompts_but_no_prefix(directory):
  lm = LanguageModel(_adapted(directory, "xlnet", "soft_prompt"))
  ids = np.array([[9, 12, 10]])
  plain = LanguageModel(load.load(directory("xlnet")))
  assert np.abs(lm.logits(ids) - plain.logits(ids)).max() > 1e-2
  with pytest.raises(UsageError, match="soft prompt has no memory"):
    lm.mems(ids)
  with pytest.raises(UsageError, match="soft_prompt has"):
    _adapted(directory, "xlnet", "p_tuning_v2")
