"""Pairs of a prompt and a choice to score, as text and as tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from lm_jax.data.tokenizer import Tokenizer
from lm_jax.support.errors import UsageError

T = TypeVar("T")

# Slots for a prompt: few, so that there are few programs, and near enough to
# one another that little is padding.
SLOTS = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
# Tokens of prompts in a batch, about.
_TOKENS = 2048
_KEPT = 4096  # prompts whose tokens are kept


class Pair(NamedTuple):
  """A prompt and a choice, with what stands between them."""

  prompt: str
  choice: str


class Scores(NamedTuple):
  """Scores of pairs: log p(choice | prompt) in nats, float64 [n]; tokens.

  greedy: bool [n], whether each token of the choice is the likeliest there;
    None of models that are not generative.
  cut: how many prompts lost their first tokens.
  """

  sums: np.ndarray
  tokens: np.ndarray
  greedy: np.ndarray | None = None
  cut: int = 0


class Sizes(Protocol):
  """Knows what a model can read.

  room: tokens that may be read, what stands around a text included; 0: any
    number.
  """

  room: int

  def size(self, prompt: str, choices: Iterable[str]) -> int:
    """Tokens that are read of a prompt with its longest choice."""
    ...


class ChoiceScorer(Sizes, Protocol):
  """Gives choices their scores.

  kind: what they are, as Objective.scoring says it, or "cloze".
  programs: the number of different programs that were run.
  """

  kind: str

  @property
  def programs(self) -> int: ...

  def scores(self, pairs: Sequence[Pair]) -> Scores:
    """Scores pairs; a prompt that is too long loses its first tokens."""
    ...


def slots(length: int) -> int:
  """The least of SLOTS, or multiple of the last, that `length` tokens fit."""
  for size in SLOTS:
    if length <= size:
      return size
  return -(-length // SLOTS[-1]) * SLOTS[-1]


def batch(size: int) -> int:
  """Number of rows of `size` slots that are read together."""
  return max(1, min(64, 2 ** (_TOKENS // size).bit_length() // 2))


def progress(batches: Iterable[T]) -> Iterable[T]:
  """Wraps batches in a progress bar where standard error is a terminal."""
  from tqdm import tqdm

  return tqdm(list(batches), disable=None, leave=False, unit="batch")


class Splitter:
  """Encodes pairs; a choice has the tokens that it has in the whole text.

  The text is encoded as a whole and cut where its tokens first differ from
  those of the prompt alone; spaces at the end of a prompt belong to the
  choice. lm-evaluation-harness cuts by the number of the prompt's tokens,
  which is the same unless the end of a prompt and the beginning of a choice
  share a token: then it loses a part of the choice, or all of it.
  """

  def __init__(self, tokenizer: Tokenizer):
    self._tokenizer = tokenizer
    self._alone: dict[str, Sequence[int]] = {}

  def ids(self, pair: Pair) -> tuple[list[int], list[int]]:
    """Encodes the prompt and the choice.

    Raises:
      UsageError: the choice has no tokens.
    """
    whole = self._tokenizer.encode(pair.prompt + pair.choice)
    length = self.cut(pair, whole)
    return whole[:length], whole[length:]

  def cut(self, pair: Pair, whole: Sequence[int]) -> int:
    """Returns where the choice begins in the tokens of the whole text.

    Raises:
      UsageError: the choice has no tokens.
    """
    prompt = pair.prompt.rstrip(" ")
    if prompt not in self._alone:
      if len(self._alone) > _KEPT:
        self._alone.clear()
      self._alone[prompt] = self._tokenizer.encode(prompt)
    return first_difference(self._alone[prompt], whole, pair)


def first_difference(
  alone: Sequence[int], whole: Sequence[int], pair: Pair
) -> int:
  """Counts the first tokens that a prompt and the whole text share.

  Args:
    alone: tokens of the prompt.
    whole: tokens of the prompt and the choice.
    pair: of these, for messages.

  Raises:
    UsageError: the whole text has no others.
  """
  same = 0
  for one, other in zip(alone, whole, strict=False):
    if one != other:
      break
    same += 1
  if same >= len(whole):
    raise no_tokens(pair)
  return same


def no_tokens(pair: Pair) -> UsageError:
  """Says that a choice can't be scored."""
  behind = f"{pair.prompt[-40:]!r}" if pair.prompt else "an empty prompt"
  return UsageError(
    f"choice {pair.choice!r:.80}: has no tokens of its own behind {behind}"
  )
