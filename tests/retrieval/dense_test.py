"""Searches by embeddings, of a model that counts letters."""

import json_lines
import numpy as np
import pytest
import small_collection as small
from letters import Letters

from lm_jax.examples import collection
from lm_jax.objectives.base import Embedding
from lm_jax.retrieval import dense, encoder
from lm_jax.retrieval.encoder import Encoder, Encoding
from lm_jax.support.errors import UsageError


@pytest.fixture
def found(tmp_path):
  return collection.read(small.jsonl(tmp_path), "x")


def by_hand(found, query, similarity, length=1000):
  model = Letters()
  texts = [document.full_text for document in found.documents.values()]
  vector_NxD = np.float64(model.text_features(texts, length=length))
  (asked_D,) = np.float64(model.text_features([query], length=length))
  scores_N = vector_NxD @ asked_D
  if similarity == "cosine":
    scores_N /= np.linalg.norm(vector_NxD, axis=1) * np.linalg.norm(asked_D)
  order = np.argsort(-scores_N, kind="stable")
  ids = list(found.documents)
  return {ids[i]: scores_N[i] for i in order}


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize("told", [True, False])
def test_the_nearest_come_first(found, similarity, told):
  """By the model's own similarity, unless another is asked for."""
  other = {"cosine": "dot", "dot": "cosine"}[similarity]
  own = other if told else similarity
  model = Letters(embedding=Embedding("last", own))
  encoding = Encoding(similarity=similarity) if told else Encoding()
  run = dense.search(model, found, {"q": "ships at sea"}, 9, encoding)
  wanted = by_hand(found, "ships at sea", similarity)
  assert list(run["q"]) == list(wanted)
  assert run["q"] == pytest.approx(wanted, rel=1e-5)


def test_chunks_prefixes_and_cut_documents(found, monkeypatch):
  monkeypatch.setattr(encoder, "CHUNK", 4)
  model = Letters(length=30)
  ways = Encoding(
    pool="last", length=20, query_prefix="Q:", document_prefix="D:"
  )
  made = Encoder(model, ways)
  index = dense.embed_collection(made, found)
  texts = [f"D:{d.full_text}" for d in found.documents.values()]
  assert model.asked == [
    (tuple(texts[:4]), "last", 20),
    (tuple(texts[4:]), "last", 20),
  ]
  assert made.cut == sum(len(text) > 20 for text in texts)
  made.queries(["x"])
  assert model.asked[-1] == (("Q:x",), "last", 20)
  assert len(index.search(made.queries(["x"]), ["q"], 9)["q"]) == 6
  # Nobody reads more than the model can.
  assert Encoder(model, Encoding(length=99)).longest == 30


def test_an_index_is_made_once_and_never_for_another(found, tmp_path):
  place = tmp_path / "index"
  model = Letters()
  made = Encoder(model)

  def load_or_build(encoder, documents, name="digest"):
    facts = dense.describe_index(encoder, documents, name)
    return dense.load_or_build(encoder, documents, facts, place)

  first = load_or_build(made, found)
  count = len(model.asked)
  again = load_or_build(made, found)
  assert len(model.asked) == count  # Nothing was embedded.
  asked = made.queries(["boats"])
  assert first.search(asked, ["q"], 5) == again.search(asked, ["q"], 5)
  with pytest.raises(UsageError, match="made with model='digest', and this"):
    load_or_build(made, found, "other")
  longer = Encoder(model, Encoding(length=5))
  with pytest.raises(UsageError, match="made with length=1000, and this is l"):
    load_or_build(longer, found)
  json_lines.write(tmp_path / "b_docs.jsonl", [{"id": "d1", "text": "x"}])
  json_lines.write(tmp_path / "b_queries.jsonl", [{"id": "q1", "text": "x"}])
  other = collection.read(str(tmp_path / "b"), "x")
  with pytest.raises(UsageError, match="made with documents="):
    load_or_build(made, other)
