"""Questions whose answers are spans of a passage, read window by window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from lm_jax.data import tokenizer as tokenizer_lib
from lm_jax.data.tokenizer import Tokenizer
from lm_jax.examples.forms import UNPLACED, Question, Span
from lm_jax.finetuning.heads import base
from lm_jax.finetuning.heads.base import NO_LABEL, Encoded, Item
from lm_jax.objectives.extract import END, START
from lm_jax.support.errors import UsageError

# As in BERT's run_squad: tokens of a question at most; starts, and ends, of
# which the best pair is sought; and a window starts a third of its length
# after the one before.
QUESTION, BEST, STEPS = 64, 20, 3


class Extract(base.Kind):
  """An item for each window of a passage, with the question before it.

  A window without the answer has none: it starts and ends at the first token.
  Devlin et al. 2019, section 4.2, and their run_squad.py.
  """

  def texts(self, task: Any, examples: Sequence[Question]) -> Iterator[str]:
    for example in examples:
      yield from (example.question, example.context)

  def encode(self, task, examples, tokenizer, length, options) -> Encoded:
    items, cut = [], set()
    for window in windows(examples, tokenizer, length):
      example = examples[window.example]
      if example.answers and _placed(example) is None:
        continue  # Nothing tells where it is; see squad.warn_of_unplaced.
      label_n = window.may()
      first, last = window.answer
      label_n[first] |= START
      label_n[last] |= END
      items.append(window.item(label_n))
      if window.cut:
        cut.add(window.example)
    return Encoded(items, len(cut))

  def answer(self, model, task, examples) -> list[str]:
    """The text of each answer, as the passage has it; "" where it has none."""
    from lm_jax.finetuning import forward

    read = windows(examples, model.tokenizer, model.spec.length)
    items = [window.item(window.may()) for window in read]
    best: list[list[Found]] = [[] for _ in examples]
    for window, logits_nx2 in zip(
      read, forward.outputs(model, items), strict=True
    ):
      spans = best_of(window, logits_nx2, model.objective.longest)
      best[window.example].append(spans)
    return [
      chosen(example.context, spans, task.unanswerable, model.objective.margin)
      for example, spans in zip(examples, best, strict=True)
    ]


class Window(NamedTuple):
  """A question and a piece of its passage, as a model reads them.

  example: index of the example.
  tokens, text: of the item.
  at: where the passage begins in the tokens.
  spans_Nx2: characters of the passage that each of its tokens here stands for.
  most_N: whether no other window has more around the token.
  answer: first and last token of the first right answer; (0, 0) unless the
    window has all of it.
  cut: the question lost tokens, or no token is of the answer.
  """

  example: int
  tokens: np.ndarray
  text: np.ndarray
  at: int
  spans_Nx2: np.ndarray
  most_N: np.ndarray
  answer: tuple[int, int]
  cut: bool

  def may(self) -> np.ndarray:
    """Labels tokens that may be an answer: the passage, and the first token."""
    label_n = np.full(len(self.tokens), NO_LABEL, np.int32)
    label_n[self.at : self.at + len(self.spans_Nx2)] = 0
    label_n[0] = 0
    return label_n

  def item(self, label_n: np.ndarray) -> Item:
    return Item(self.example, self.tokens, self.text, label_n)


class Found(NamedTuple):
  """The best span of a window, in characters, and the logits of no answer.

  The score is the sum of the logits of start and end, -inf without a span.
  """

  score: float
  start: int
  end: int
  none: float


def windows(
  examples: Sequence[Question], tokenizer: Tokenizer, length: int
) -> list[Window]:
  """Makes the windows of each example, in order.

  Raises:
    UsageError: `length` has no room for a question and a piece of a passage.
  """
  encoder, specials = tokenizer.encoder, tokenizer.specials
  before, after = specials.before, specials.after
  middle = tokenizer_lib.separator_ids(tokenizer)
  around = len(before) + len(middle) + len(after)
  if length < around + 2:
    raise UsageError(
      f"--length={length}: the special tokens of an example take {around}"
    )
  most = max(1, min(QUESTION, (length - around) // 2))
  questions = encoder.encode_spans([x.question for x in examples])
  # Many questions are of one passage.
  contexts = list(dict.fromkeys(x.context for x in examples))
  passages = dict(zip(contexts, encoder.encode_spans(contexts), strict=True))
  all_windows = []
  for number, (example, (question, _)) in enumerate(
    zip(examples, questions, strict=True)
  ):
    ids, spans_Tx2 = passages[example.context]
    head = np.array([*before, *question[:most], *middle], np.int32)
    room = length - len(head) - len(after)
    starts = _starts(len(ids), room, max(1, min(room, length // STEPS)))
    owner_T = _owners(len(ids), room, starts)
    answer = _placed(example)
    right = _tokens_of(answer, spans_Tx2) if answer else ()
    cut = len(question) > most or right is None
    for window, start in enumerate(starts):
      here = slice(start, start + room)
      tail = np.array([*ids[here], *after], np.int32)
      text = np.repeat(np.arange(2, dtype=np.int32), (len(head), len(tail)))
      here_at = (0, 0)
      if right and start <= right[0] and right[1] < start + room:
        shift = len(head) - start
        here_at = right[0] + shift, right[1] + shift
      all_windows.append(
        Window(
          number,
          np.concatenate([head, tail]),
          text,
          len(head),
          spans_Tx2[here],
          owner_T[here] == window,
          here_at,
          cut,
        )
      )
  return all_windows


def _placed(example: Question) -> Span | None:
  """Returns the first right answer whose place is known."""
  return next((a for a in example.answers if a.start != UNPLACED), None)


def _tokens_of(answer: Span, spans_Tx2: np.ndarray) -> tuple[int, int] | None:
  """Returns an answer's first and last token; None if it has none."""
  end = answer.start + len(answer.text)
  of_it_T = (spans_Tx2[:, 1] > answer.start) & (spans_Tx2[:, 0] < end)
  inside = np.flatnonzero(of_it_T)
  return (int(inside[0]), int(inside[-1])) if inside.size else None


def _starts(count: int, room: int, step: int) -> list[int]:
  """Starts of windows of `room` tokens that cover `count` tokens.

  >>> _starts(10, 6, 3), _starts(5, 6, 3), _starts(0, 6, 3)
  ([0, 3, 6], [0], [0])
  """
  last = max(count - room, 0)
  return [*range(0, last, step), -(-last // step) * step]


def _owners(count: int, room: int, starts: Sequence[int]) -> np.ndarray:
  """Finds the window in which a token has most around it: int64 [T].

  That is the smaller of what stands before and behind it, and for equal ones
  the longer window, as in BERT's run_squad.py.
  """
  index_T = np.arange(count)
  context = []
  for start in starts:
    stop = min(start + room, count)
    least_T = np.minimum(index_T - start, stop - 1 - index_T)
    here_T = (index_T >= start) & (index_T < stop)
    context.append(np.where(here_T, least_T + 0.01 * (stop - start), -np.inf))
  return np.argmax(context, axis=0)


def best_of(window: Window, logits_nx2: np.ndarray, longest: int) -> Found:
  """Finds the likeliest span that starts where the window sees most."""
  logits_nx2 = logits_nx2.astype(np.float64)
  none = float(logits_nx2[0].sum())
  passage_Nx2 = logits_nx2[window.at : window.at + len(window.spans_Nx2)]
  start_N = np.where(window.most_N, passage_Nx2[:, 0], -np.inf)
  starts = np.argsort(-start_N, kind="stable")[:BEST, None]
  ends = np.argsort(-passage_Nx2[:, 1], kind="stable")[None, :BEST]
  score = start_N[starts] + passage_Nx2[ends, 1]
  valid = (starts <= ends) & (ends < starts + longest)
  score = np.where(valid, score, -np.inf)
  if not score.size or not np.isfinite(score.max()):
    return Found(-np.inf, 0, 0, none)
  row, column = np.unravel_index(score.argmax(), score.shape)
  first = int(window.spans_Nx2[starts[row, 0], 0])
  last = int(window.spans_Nx2[ends[0, column], 1])
  return Found(float(score[row, column]), first, last, none)


def chosen(
  context: str, found: Sequence[Found], unanswerable: bool, margin: float
) -> str:
  """Chooses the answer of all windows; "" where no answer is likelier."""
  best = max(found, key=lambda window: window.score)
  none = min(window.none for window in found)
  if unanswerable and none - best.score > margin:
    return ""
  return context[best.start : best.end]
