"""A model whose scores are known, for tasks."""

import types

import numpy as np


class Model:
  """Scores texts and choices by a function of them."""

  scoring = "log_likelihood"

  def __init__(self, score, greedy=lambda text: False, fills=False):
    self._score, self._greedy, self.fills = score, greedy, fills
    self.asked = []

  def text_scores(self, texts):
    self.asked += texts
    return np.array([self._score(text) for text in texts], np.float64)

  def choices(self, pairs):
    texts = [prompt + choice for prompt, choice in pairs]
    self.asked += pairs
    return types.SimpleNamespace(
      sums=np.array([self._score(text) for text in texts]),
      greedy=np.array([self._greedy(text) for text in texts]),
      cut=0,
    )

  def blank_scores(self, asked):
    scores = [self._score("".join(parts)) for parts in asked]
    return types.SimpleNamespace(sums=np.array(scores))

  def require_likelihood(self, task):
    pass


def task(kind, place, **attributes):
  made = kind()
  made.place = str(place)
  for name, value in attributes.items():
    setattr(made, name, value)
  return made
