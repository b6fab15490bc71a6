"""Tokenizers of every kind, and a model that answers as it is told."""

from __future__ import annotations

import types

import numpy as np
import pytest

from lm_jax.data import vocabulary
from lm_jax.data.corpus import Corpus, Document
from lm_jax.data.open_tokenizer import load_tokenizer
from lm_jax.data.options import DataOptions
from lm_jax.finetuning import forward
from lm_jax.types import Spec

TEXTS = [
  "The Panthers' defence gave up just 308 points in Zürich, said Ann Lee." * 4,
  "Who said so? É. Müller did: 6½ sacks (and more) than St. Louis had." * 4,
]


@pytest.fixture(scope="session", params=vocabulary.KINDS)
def tokenizer(request, tmp_path_factory):
  options = DataOptions(
    tokenizer=request.param,
    vocabulary_size=400,
    sentinels=5,
    cache=str(tmp_path_factory.mktemp("cache")),
  )
  documents = [Document(text, {}) for text in TEXTS]
  return load_tokenizer(
    options, Corpus("tiny", "tiny", lambda split: iter(documents))
  )


@pytest.fixture
def model_that_gives(monkeypatch):
  """A function of a tokenizer, a length, logits by item, and options."""

  def make(tokenizer, length, logits, **options):
    monkeypatch.setattr(
      forward,
      "outputs",
      lambda model, items: [
        np.float32(x) for x, _ in zip(logits, items, strict=True)
      ],
    )
    spec = Spec("encoder", length, tokenizer.vocabulary_size)
    return types.SimpleNamespace(
      tokenizer=tokenizer,
      spec=spec,
      objective=types.SimpleNamespace(**options),
    )

  return make
