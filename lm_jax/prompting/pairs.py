"""What is scored: a choice behind a prompt, as text and as tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from lm_jax.data.tokenizer import Tokenizer
from lm_jax.errors import UsageError

T = TypeVar("T")

# Slots for a prompt: few, so that there are few programs, and near enough to
# one another that little is padding.
SLOTS = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
# Tokens of prompts in a batch, about.
_TOKENS = 2048


class Pair(NamedTuple):
  """A prompt and a choice, with what stands between them."""

  prompt: str
  choice: str


class Scores(NamedTuple):
  """Of each pair: log p(choice | prompt) in nats, float64 [n], and tokens.

  greedy: bool [n], is each token of the choice the likeliest one there? None
    of models that do not go on with a text.
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


class Judge(Sizes, Protocol):
  """Gives choices their scores.

  kind: what they are, as Objective.scoring says it, or "cloze".
  programs: the number of different programs that were run.
  """

  kind: str

  @property
  def programs(self) -> int: ...

  def scores(self, pairs: Sequence[Pair]) -> Scores:
    """Too long a prompt loses its first tokens."""
    ...


def slots(length: int) -> int:
  """The least of SLOTS, or a multiple of the last, that so many tokens fit."""
  for size in SLOTS:
    if length <= size:
      return size
  return -(-length // SLOTS[-1]) * SLOTS[-1]


def batch(size: int) -> int:
  """Rows of so many slots that are read together."""
  return max(1, min(64, 2 ** (_TOKENS // size).bit_length() // 2))


def progress(batches: Iterable[T]) -> Iterable[T]:
  """The same, with a bar where standard error is a terminal."""
  from tqdm import tqdm

  return tqdm(list(batches), disable=None, leave=False, unit="batch")


class Splitter:
  """Pairs to tokens, as lm-evaluation-harness does it.

  The text is encoded as a whole and split where the tokens of the prompt
  alone end, so that the choice has the tokens that it has in a text; spaces
  at the end of a prompt belong to the choice.
  """

  def __init__(self, tokenizer: Tokenizer):
    self._tokenizer = tokenizer
    self._lengths: dict[str, int] = {}

  def text(self, pair: Pair) -> tuple[str, int]:
    """The whole text, and how many of its tokens are the prompt's.

    Where a choice has no token of its own behind those, its tokens begin with
    the first that the prompt alone does not have.
    """
    prompt = pair.prompt.rstrip(" ")
    return pair.prompt + pair.choice, self._length(prompt)

  def ids(self, pair: Pair) -> tuple[list[int], list[int]]:
    """The tokens of the prompt and of the choice.

    Raises:
      UsageError: the choice has no tokens.
    """
    text, length = self.text(pair)
    whole = self._tokenizer.encode(text)
    length = self.cut(pair, whole, length)
    return whole[:length], whole[length:]

  def cut(self, pair: Pair, whole: Sequence[int], length: int) -> int:
    """Where the choice begins; `length`, unless nothing would be left."""
    if length < len(whole):
      return length
    alone = self._tokenizer.encode(pair.prompt.rstrip(" "))
    same = 0
    for one, other in zip(alone, whole, strict=False):
      if one != other:
        break
      same += 1
    if same >= len(whole):
      raise UsageError(f"choice {pair.choice!r:.80}: has no tokens")
    return same

  def _length(self, prompt: str) -> int:
    if prompt not in self._lengths:
      if len(self._lengths) > 10_000:
        self._lengths.clear()
      self._lengths[prompt] = len(self._tokenizer.encode(prompt))
    return self._lengths[prompt]
