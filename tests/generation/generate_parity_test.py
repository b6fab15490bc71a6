"""Greedy and beam search token for token as PyTorch Transformers does them."""

import warnings

import numpy as np
import pytest

import lm_jax
from lm_jax.generation import filters, read_options
from lm_jax.generation.generate import Generator
from lm_jax.generation.options import Generation
from lm_jax.inference import load

pytestmark = [
  pytest.mark.parity,
  pytest.mark.filterwarnings("ignore"),
]

PROMPTS, LENGTH = 20, 64
SMALL = {"vocab_size": 200}
DECODER = {
  **SMALL,
  "d_model": 64,
  "encoder_layers": 2,
  "decoder_layers": 2,
  "encoder_attention_heads": 4,
  "decoder_attention_heads": 4,
  "encoder_ffn_dim": 96,
  "decoder_ffn_dim": 96,
  "max_position_embeddings": 256,
}
# Class, configuration, and what random weights are multiplied by, so that the
# outputs are many different tokens.
MODELS = {
  "gpt2": (
    "GPT2LMHeadModel",
    {
      **SMALL,
      "n_embd": 64,
      "n_layer": 3,
      "n_head": 4,
      "n_positions": 256,
      "bos_token_id": 0,
      "eos_token_id": 1,
    },
    4.0,
  ),
  "llama": (
    "LlamaForCausalLM",
    {
      **SMALL,
      "hidden_size": 64,
      "intermediate_size": 96,
      "num_hidden_layers": 3,
      "num_attention_heads": 4,
      "num_key_value_heads": 2,
      "max_position_embeddings": 256,
      "bos_token_id": 0,
      "eos_token_id": 1,
      "pad_token_id": 2,
    },
    4.0,
  ),
  "t5": (
    "T5ForConditionalGeneration",
    {
      **SMALL,
      "d_model": 64,
      "d_kv": 16,
      "d_ff": 96,
      "num_layers": 2,
      "num_heads": 4,
      "decoder_start_token_id": 0,
      "pad_token_id": 0,
      "eos_token_id": 1,
    },
    4.0,
  ),
  "bart": (
    "BartForConditionalGeneration",
    {**DECODER, "forced_eos_token_id": None},
    8.0,
  ),
  "m2m_100": ("M2M100ForConditionalGeneration", DECODER, 32.0),
}
SEARCHES = {
  "greedy": {},
  "penalties": {
    "repetition_penalty": 1.3,
    "no_repeat_ngram_size": 3,
    "min_new_tokens": 20,
  },
  "beams": {"num_beams": 4},
  "longer": {
    "num_beams": 3,
    "length_penalty": 1.7,
    "early_stopping": True,
    "num_return_sequences": 2,
  },
  "biases": {
    "sequence_bias": [[[70], -4.0], [[9, 11], 5.0], [[12], 3.0]],
    "bad_words_ids": [[20], [13, 14], [12, 12]],
    "min_length": 15,
  },
  "begin": {
    "begin_suppress_tokens": [*range(20, 120)],
    "exponential_decay_length_penalty": (5, 1.3),
    "num_beams": 2,
    "renormalize_logits": True,
    "repetition_penalty": 1.2,
  },
  "never": {"num_beams": 3, "early_stopping": "never", "length_penalty": 0.3},
}


@pytest.fixture(scope="module", params=MODELS)
def both(request, tmp_path_factory):
  """The model in PyTorch, and ours of its files."""
  torch = pytest.importorskip("torch")
  import transformers

  kind, fields, scale = MODELS[request.param]
  torch.manual_seed(0)
  cls = getattr(transformers, kind)
  model = cls(cls.config_class(**fields)).eval()
  with torch.no_grad():
    for _, parameter in model.named_parameters():
      if parameter.ndim > 1:
        parameter.mul_(scale)
  folder = tmp_path_factory.mktemp(request.param)
  model.save_pretrained(folder)
  return model, Generator(load.load(str(folder)))


def _ended(ids, end):
  """Up to the token that ends the text."""
  return ids[: ids.index(end) + 1] if end in ids else ids


@pytest.mark.parametrize("search", SEARCHES)
def test_the_same_tokens(both, search):
  import torch

  model, generator = both
  paired = model.config.is_encoder_decoder
  options = dict(SEARCHES[search])
  if model.config.model_type == "m2m_100":
    options["forced_bos_token_id"] = 7
  ours = options | {"max_new_tokens": LENGTH}
  pad = model.config.pad_token_id
  rng = np.random.default_rng(0)
  seen = set()
  for _ in range(PROMPTS):
    prompt = rng.integers(5, 200, rng.integers(2, 40)).tolist()
    with torch.no_grad():
      theirs = model.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        max_new_tokens=LENGTH,
        do_sample=False,
        pad_token_id=1 if pad is None else pad,
        **options,
      ).tolist()
    skip = 1 if paired else len(prompt)
    end = model.config.eos_token_id
    expected = [_ended(row[skip:], end) for row in theirs]
    found = generator.continue_ids([prompt], read_options.read(ours))
    assert [result.ids for result in found] == expected
    seen.update(*expected)
  assert len(seen) >= 20, f"{len(seen)} different tokens tell little"


def test_by_default_as_generation_config_says(tmp_path):
  """BART's own way to summarise, and a GPT-2's, with nothing else asked."""
  import torch

  for kind, own in (
    (
      "bart",
      {
        **{"num_beams": 3, "length_penalty": 2.0, "early_stopping": True},
        **{"min_length": 12, "max_length": 30, "no_repeat_ngram_size": 3},
        **{"forced_bos_token_id": 9, "forced_eos_token_id": 2},
      },
    ),
    ("gpt2", {"repetition_penalty": 1.4, "max_new_tokens": 25}),
  ):
    name, fields, scale = MODELS[kind]
    cls = getattr(__import__("transformers"), name)
    torch.manual_seed(1)
    model = cls(cls.config_class(**fields)).eval()
    with torch.no_grad():
      for parameter in model.parameters():
        if parameter.ndim > 1:
          parameter.mul_(scale)
    model.generation_config.update(**own)
    folder = tmp_path / kind
    model.save_pretrained(folder)
    lm = lm_jax.load(folder)
    for seed in range(5):
      rng = np.random.default_rng(seed)
      ids = rng.integers(5, 200, (1, 9))
      with torch.no_grad():
        theirs = model.generate(torch.tensor(ids), pad_token_id=1)[0].tolist()
      found = lm.generate(ids)[0].tolist()
      # BART begins with the token that ends it.
      expected = _ended(theirs[1:], model.config.eos_token_id)
      assert len(expected) > 10 and found[1:] == expected


@pytest.mark.parametrize(
  ("name", "kind", "value"),
  [
    ("temperature", "TemperatureLogitsWarper", 0.6),
    ("top_k", "TopKLogitsWarper", 20),
    ("top_p", "TopPLogitsWarper", 0.8),
    ("min_p", "MinPLogitsWarper", 0.1),
    ("typical_p", "TypicalLogitsWarper", 0.7),
    ("epsilon_cutoff", "EpsilonLogitsWarper", 0.01),
    ("eta_cutoff", "EtaLogitsWarper", 0.01),
  ],
)
def test_the_same_distribution(name, kind, value):
  torch = pytest.importorskip("torch")
  from transformers.generation import logits_process

  rng = np.random.default_rng(0)
  logits = rng.normal(0, 3, (1000, 500)).astype(np.float32)
  with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    theirs = getattr(logits_process, kind)(value)(None, torch.tensor(logits))
  expected = torch.softmax(theirs, dim=-1).numpy()
  # top_k is on by default.
  asked = Generation(do_sample=True, **{"top_k": 0} | {name: value})
  warped = filters.warp(logits, asked.static(), asked.values)
  found = np.exp(warped - np.max(warped, axis=1, keepdims=True))
  found = found / found.sum(axis=1, keepdims=True)
  assert np.abs(np.asarray(found) - expected).max() <= 1e-5
