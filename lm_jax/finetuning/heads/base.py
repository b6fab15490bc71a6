"""The interface of how a supervised objective's examples are read."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lm_jax.data.tokenizer import Tokenizer

NO_LABEL = -1


@dataclasses.dataclass(frozen=True)
class Item:
  """An example, or a window of a long one, as a model reads it.

  It becomes one segment of a row (lm_jax/finetuning/packing.py), which may
  hold several. An objective may part it into texts that do not see each other.

  example: index of the example.
  tokens: int32 [n], the special ones around and between texts among them.
  text: int32 [n], which of the example's texts a token is of: 0, 1; becomes
    Rows.sentence_BxL, and is the token type where a trunk has those.
  label: int32 [n], becomes Rows.label; NO_LABEL where a token has none.
  answer: int32 [m], what is to be said, in the columns behind all the row's
    contexts; [] unless the objective generates.
  """

  example: int
  tokens: np.ndarray
  text: np.ndarray
  label: np.ndarray
  answer: np.ndarray = dataclasses.field(
    default_factory=lambda: np.zeros(0, np.int32)
  )


@dataclasses.dataclass(frozen=True)
class Encoded:
  """The items of a split.

  items: in the order of the examples.
  cut: examples that lost tokens, since they did not fit.
  """

  items: Sequence[Item]
  cut: int


class Kind:
  """Turns examples into items, and a model's outputs into answers.

  To add one, write one file beside this one with one subclass, of the name of
  the objective that it goes with.
  """

  def options(self, task: Any, train: Sequence[Any]) -> Mapping[str, Any]:
    """The objective's own options that the task fixes: labels=(...).

    Args:
      task: lm_jax.tasks.base.SupervisedTask.
      train: its examples for training.
    """
    return {}

  def texts(self, task: Any, examples: Sequence[Any]) -> Iterator[str]:
    """Yields the texts to train a tokenizer on where no model is given.

    By default the fields of each example.
    """
    for example in examples:
      yield from example.fields.values()

  def encode(
    self,
    task: Any,
    examples: Sequence[Any],
    tokenizer: Tokenizer,
    length: int,
    options: Mapping[str, Any],
  ) -> Encoded:
    """The items of some examples, each of at most `length` tokens.

    Args:
      task: of the examples.
      examples: with right answers.
      tokenizer: of the model.
      length: columns of a row.
      options: the objective's own, by name; and "paired": whether the model
        reads in an encoder and answers in a decoder.

    Raises:
      UsageError: a label that the model does not know.
    """
    raise NotImplementedError

  def answer(self, model: Any, task: Any, examples: Sequence[Any]) -> list[Any]:
    """Answers each example in the form that `task.judge` takes.

    Args:
      model: lm_jax.loaded_model.Trained, whose objective is this kind's.
      task: of the examples.
      examples: whose right answers are not looked at.
    """
    raise NotImplementedError
