"""Indices against brute force; what is stale or damaged is not used."""

import json

import numpy as np
import processes
import pytest

from lm_jax.retrieval import index
from lm_jax.support.errors import UsageError

IDS = [f"d{i}" for i in range(600)]
FACTS = {"model": "m", "documents": "x"}


@pytest.fixture(scope="module")
def vectors():
  found = np.random.default_rng(0).normal(size=(600, 16))
  return found.astype(np.float32)


def queries(vectors):
  noise = np.random.default_rng(1).normal(size=(5, 16))
  return vectors[:5] + 0.3 * noise.astype(np.float32)


def brute(vectors, asked, k):
  scores = np.float64(asked) @ np.float64(vectors).T
  return [
    {IDS[i]: row[i] for i in np.argsort(-row, kind="stable")[:k]}
    for row in scores
  ]


def build(vectors, factory="Flat"):
  chunks = (vectors[i : i + 250] for i in range(0, len(vectors), 250))
  return index.build(chunks, IDS, factory)


def test_an_exact_index_finds_what_all_dot_products_say(vectors):
  asked = queries(vectors)
  run = build(vectors).search(asked, list("abcde"), 20)
  for found, wanted in zip(
    run.values(), brute(vectors, asked, 20), strict=True
  ):
    assert list(found) == list(wanted)
    assert found == pytest.approx(wanted, rel=1e-5)


def test_of_equal_documents_the_first_comes_first():
  same = np.ones((30, 4), np.float32)
  found = index.build([same], IDS[:30])
  assert list(found.search(same[:1], ["q"], 30)["q"]) == IDS[:30]
  # More than there are.
  assert len(found.search(same[:1], ["q"], 99)["q"]) == 30


@pytest.mark.parametrize("factory", ["HNSW16,Flat", "IVF8,Flat"])
def test_an_approximate_index_finds_more_with_more_effort(vectors, factory):
  asked = queries(vectors)
  wanted = brute(vectors, asked, 10)

  def recall(effort):
    run = build(vectors, factory).search(asked, list("abcde"), 10, effort)
    pairs = zip(run.values(), wanted, strict=True)
    return np.mean([len(set(f) & set(w)) / 10 for f, w in pairs])

  assert recall(1) < 1
  assert recall(600 if factory.startswith("HNSW") else 8) == 1


def test_it_is_the_same_from_disk_or_refused(vectors, tmp_path):
  asked, place = queries(vectors), tmp_path / "index"
  made = build(vectors)
  index.save(made, place, FACTS)
  assert index.load(place, FACTS, IDS).search(asked, list("abcde"), 9) == (
    made.search(asked, list("abcde"), 9)
  )
  stale = {"model": "another", "documents": "x"}
  with pytest.raises(UsageError, match="made with model='m', and this is mod"):
    index.load(place, stale, IDS)
  file = place / "index.faiss"
  data = bytearray(file.read_bytes())
  data[-5] ^= 1
  file.write_bytes(data)
  with pytest.raises(UsageError, match=r"index\.faiss is damaged"):
    index.load(place, FACTS, IDS)
  (place / "index.json").write_text("[]")
  with pytest.raises(UsageError, match="must be an object"):
    index.load(place, FACTS, IDS)


@pytest.mark.parametrize(
  ("factory", "message"),
  [
    ("Bogus", "FAISS makes no such index of vectors of 16"),
    ("IVF700,Flat", "600 documents are too few"),
  ],
)
def test_an_index_that_cannot_be(vectors, factory, message):
  with pytest.raises(UsageError, match=f"--index_type={factory}: {message}"):
    build(vectors, factory)
  with pytest.raises(UsageError, match="--effort=3: is for approximate"):
    build(vectors).search(vectors[:1], ["q"], 1, 3)


def test_faiss_and_jax_share_a_process():
  """Each brings its own OpenMP or threads; results stay the same."""
  code = """
import jax.numpy as jnp, numpy as np, json
from lm_jax.retrieval import index
x = np.random.default_rng(0).normal(size=(500, 64)).astype("f")
found = []
for _ in range(3):
  y = np.asarray(jnp.tanh(jnp.asarray(x) @ jnp.ones((64, 64))))
  ids = [str(i) for i in range(500)]
  run = index.build([y], ids).search(y[:40], ids[:40], 5)
  found.append(json.dumps(run))
print(len(set(found)))
"""
  done = processes.python("-c", code)
  assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
  assert json.loads(done.stdout) == 1
