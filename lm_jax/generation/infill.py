"""Masked models: the likeliest words in blanks, and whole sentences."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from lm_jax.inference.score import exact
from lm_jax.loaded_model import VOCABULARY, Trained
from lm_jax.support.errors import UsageError
from lm_jax.types import ANSWER, PADDING, Rows

# Rows are padded to a multiple of this.
_BUCKET = 32


class Candidate(NamedTuple):
  """A candidate for a blank: a token, its text, and its probability."""

  token: int
  text: str
  probability: float


class Filler:
  """A masked model, ready to fill blanks.

  Args:
    model: as lm_jax.inference.load loads it.

  Raises:
    UsageError: it can't fill blanks.
  """

  def __init__(self, model: Trained):
    # A discriminator's stack has no vocabulary; its generator's has.
    able = VOCABULARY in model.outputs or len(model.network.trunks) > 1
    if not (model.objective.fills and able):
      raise UsageError(
        f"{model.name}: a model of {model.objective.name} does not fill blanks"
      )
    if not model.fills:
      raise UsageError(f"{model.name}: its tokenizer has no mask token")
    self._model = model
    self._tokenizer = model.require_tokenizer()
    self._network = model.measuring

  def blanks(self, text: str, top_k: int = 5) -> list[list[Candidate]]:
    """Finds the `top_k` likeliest tokens of each blank, each by itself.

    Args:
      text: with the tokenizer's mask token where something is missing.
      top_k: of each blank, at least 1.

    Raises:
      UsageError: no blank, or a text longer than the model's context.
    """
    if top_k < 1:
      raise UsageError(f"top_k={top_k}: must be at least 1")
    ids, places = self._read(text)
    candidates = []
    for logits_V in self._logits(ids, places):
      probability_V = _softmax(logits_V)
      best = np.argsort(-probability_V, kind="stable")[:top_k]
      candidates.append([self._candidate(int(i), probability_V) for i in best])
    return candidates

  def sentence(self, text: str, steps: int = 10) -> str:
    """Fills all blanks of a text, the surest tokens first.

    Ghazvininejad et al. 2019, section 3 (mask-predict): all blanks are filled
    at once, and the least probable ones again in the light of the others,
    n (steps - t) / steps of n in step t.

    Args:
      text: with blanks.
      steps: passes through the model.

    Raises:
      UsageError: as `blanks`.
    """
    specials = self._model.spec.specials
    ids, places = self._read(text)
    self._predict(ids, places, steps)
    before, after = len(specials.before), len(specials.after)
    return self._tokenizer.decode(ids[before : len(ids) - after])

  def between(self, left: str, blanks: int, right: str, steps: int) -> str:
    """Fills `blanks` blanks between two texts, as `sentence` does it.

    Texts that are too long lose what is furthest from the blanks.

    Raises:
      UsageError: there is no room for the blanks.
    """
    specials = self._model.spec.specials
    around = len(specials.before) + len(specials.after) + blanks
    room = self._model.config.length - around
    if blanks < 1 or room < 0:
      raise UsageError(
        f"{blanks} blanks: the model reads {self._model.config.length} tokens"
      )
    front, back = fitted(
      self._tokenizer.encode(left), self._tokenizer.encode(right), room
    )
    start = len(specials.before) + len(front)
    places = np.arange(start, start + blanks)
    masks = [specials.mask] * blanks
    row = [*specials.before, *front, *masks, *back, *specials.after]
    ids = np.array(row, np.int32)
    self._predict(ids, places, steps)
    return self._tokenizer.decode(ids[places])

  def _predict(self, ids: np.ndarray, places: np.ndarray, steps: int) -> None:
    """Puts tokens into the places of `ids`, in `steps` passes."""
    if steps < 1:
      raise UsageError(f"steps={steps}: must be at least 1")
    specials = self._model.spec.specials
    banned = [i for i in specials.ids if i < self._model.spec.vocabulary]
    is_open = np.ones(len(places), bool)
    sure = np.zeros(len(places))
    for step in range(1, steps + 1):
      ids[places[is_open]] = specials.mask
      logits_PxV = self._logits(ids, places)
      logits_PxV[:, banned] = -np.inf
      for at in np.flatnonzero(is_open):
        probability_V = _softmax(logits_PxV[at])
        ids[places[at]] = probability_V.argmax()
        sure[at] = probability_V.max()
      again = len(places) * (steps - step) // steps
      if not again:
        break
      is_open[:] = False
      is_open[np.argsort(sure, kind="stable")[:again]] = True

  def _candidate(self, token: int, probability_V: np.ndarray) -> Candidate:
    text = self._tokenizer.decode([token], skip_special_tokens=False)
    return Candidate(token, text, float(probability_V[token]))

  def _read(self, text: str) -> tuple[np.ndarray, np.ndarray]:
    """Encodes a text with special tokens, and finds its blanks."""
    specials = self._model.spec.specials
    ids = self._tokenizer.encode(text, parse_special=True)
    row = np.array([*specials.before, *ids, *specials.after], np.int32)
    places = np.flatnonzero(row == specials.mask)
    sign = self._tokenizer.decode([specials.mask], skip_special_tokens=False)
    if not len(places):
      raise UsageError(f"text: has no blank; {sign} stands for one")
    room = self._model.config.length
    if len(row) > room:
      raise UsageError(
        f"text: has {len(row)} tokens, and the model's rows have {room}"
      )
    return row, places

  def _logits(self, ids: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Computes logits at the places, float32 [P, V]."""
    spec = self._model.spec
    size = min(-(-len(ids) // _BUCKET) * _BUCKET, self._model.config.length)
    tokens = np.full((1, size), spec.specials.pad, np.int32)
    tokens[0, : len(ids)] = ids
    real = (np.arange(size) < len(ids))[None].astype(np.int32)
    part = np.where(real > 0, ANSWER, PADDING).astype(np.int32)
    word = np.arange(size, dtype=np.int32)[None]
    rows = Rows(tokens, real, word, np.zeros_like(tokens), part)
    # Any number of blanks: a program for each size of a row.
    at = np.zeros((1, size), np.int32)
    at[0, : len(places)] = places
    run = _compiled(self._model.objective, self._network, spec)
    return np.array(run(self._model.params, rows, at)[0, : len(places)])


def fitted(
  front: list[int], back: list[int], room: int
) -> tuple[list[int], list[int]]:
  """Cuts what is furthest from the blank, on the longer side first."""
  spare = len(front) + len(back) - room
  if spare <= 0:
    return front, back
  keep_back = min(len(back), max(room // 2, room - len(front)))
  keep_front = room - keep_back
  return front[len(front) - keep_front :], back[:keep_back]


@functools.lru_cache(maxsize=8)
def _compiled(objective: Any, network: Any, spec: Any) -> Any:
  def fill(net, rows, positions):
    return objective.fill(net, rows, spec, positions)

  return exact(fill, network)


def _softmax(logits_V: np.ndarray) -> np.ndarray:
  weight_V = np.exp(logits_V.astype(np.float64) - logits_V.max())
  return weight_V / weight_V.sum()
