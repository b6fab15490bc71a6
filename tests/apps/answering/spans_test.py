"""The likeliest span of all documents, by logits that are told."""

import types

import numpy as np
import pytest

from lm_jax.apps import answering
from lm_jax.apps.answering import spans
from lm_jax.config import Config
from lm_jax.data.corpus import Corpus
from lm_jax.data.corpus import Document as Text
from lm_jax.data.open_tokenizer import load_tokenizer
from lm_jax.data.options import DataOptions
from lm_jax.examples.collection import Document
from lm_jax.finetuning import forward
from lm_jax.loaded_model import Trained
from lm_jax.support.errors import UsageError
from lm_jax.types import Spec, Specials

DOCUMENTS = [
  Document("a", "Foxes", "A fox runs over the hill at night."),
  Document("b", "Boats", "Boats sail over a lake of blue water. " * 8),
]
LENGTH = 80  # of bytes: the second document has several windows


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
  options = DataOptions(
    tokenizer="bytes", sentinels=5, cache=str(tmp_path_factory.mktemp("x"))
  )
  corpus = Corpus("x", "x", lambda split: iter([Text("a fox", {})]))
  return load_tokenizer(options, corpus)


def model(tokenizer, name="extract"):
  specials = tokenizer.specials if tokenizer else Specials()
  return Trained(
    config=Config(),
    tokenizer=tokenizer,
    objective=types.SimpleNamespace(name=name, longest=30),
    network=None,
    spec=Spec("encoder", LENGTH, 400, specials),
    outputs={},
    params=None,
    name="--reader=x",
  )


@pytest.mark.parametrize(
  ("scores", "wanted"),
  [
    ({"hill": 4.0, "lake": 3.0}, ("hill", "a", 8.0)),
    ({"hill": 4.0, "lake": 5.0}, ("lake", "b", 10.0)),
  ],
)
def test_spans_of_all_documents_compete(tokenizer, monkeypatch, scores, wanted):
  """By the same score: no document's own softmax comes between."""

  def outputs(model, items):
    found = []
    for item in items:
      text = tokenizer.decode(item.tokens.tolist(), skip_special_tokens=False)
      logits = np.zeros((len(item.tokens), 2), np.float32)
      # A document's other tokens may be likely, too.
      logits[:] = 1.0 if "lake" in text else -5.0
      ids = item.tokens.tolist()
      for word, score in scores.items():
        sought = tokenizer.encode(word)
        for at in range(len(ids)):
          if ids[at : at + len(sought)] == sought and item.label[at] >= 0:
            logits[at, 0] = logits[at + len(sought) - 1, 1] = score
      found.append(logits)
    return found

  monkeypatch.setattr(forward, "outputs", outputs)
  reader = answering.reader(model(tokenizer), "answer")
  assert isinstance(reader, spans.SpanReader)
  assert reader.answer("Where?", DOCUMENTS) == wanted


def test_a_model_without_a_tokenizer_is_no_reader():
  with pytest.raises(UsageError, match="has no tokenizer files"):
    answering.reader(model(None), "answer")
