import itertools
import types

import numpy as np
import pytest

from lm_jax.examples.forms import UNPLACED, Question, Span
from lm_jax.finetuning.heads import extract
from lm_jax.finetuning.heads.extract import Extract, Found
from lm_jax.objectives.extract import END, START
from lm_jax.support.errors import UsageError

PASSAGE = "The Panthers' defence gave up just 308 points in Zürich; " * 8 + (
  "said Ann Lee. É. Müller did 6½ sacks (and more) than St. Louis had."
)
LENGTH = 96


def question(number, text, asked="Who said so?"):
  answers = (Span(text, PASSAGE.index(text)),) if text else ()
  return Question(str(number), "", PASSAGE, asked, answers)


EXAMPLES = [
  question(i, text)
  for i, text in enumerate(
    ["The", "Ann Lee", "6½ sacks", "St. Louis had.", "", "É. Müller", "Zürich"]
  )
]
TASK = types.SimpleNamespace(name="toy", unanswerable=True)


def test_nothing_is_learnt_of_an_answer_out_of_place(tokenizer):
  odd = Question("odd", "", PASSAGE, "Who?", (Span("308", UNPLACED),))
  both = (Span("308", UNPLACED), Span("308", PASSAGE.index("308")))
  half = Question("half", "", PASSAGE, "Who?", both)
  encoded = Extract().encode(TASK, [odd, half], tokenizer, LENGTH, {})
  assert {item.example for item in encoded.items} == {1}
  right = Question("right", "", PASSAGE, "Who?", both[1:])
  same = Extract().encode(TASK, [odd, right], tokenizer, LENGTH, {})
  for a, b in zip(encoded.items, same.items, strict=True):
    np.testing.assert_array_equal(a.label, b.label)
  # They are measured all the same.
  read = extract.windows([odd], tokenizer, LENGTH)
  assert {window.example for window in read} == {0}


def logits_of(label):
  """Certain of the label's start and end."""
  return np.stack(
    [10.0 * ((label >= 0) & (label & bit > 0)) for bit in (1, 2)], 1
  )


def test_what_is_learnt_is_what_is_answered(tokenizer, model_that_gives):
  encoded = Extract().encode(TASK, EXAMPLES, tokenizer, LENGTH, {})
  assert encoded.cut == 0
  windows = [item.example for item in encoded.items]
  assert sorted(set(windows)) == list(range(len(EXAMPLES)))
  assert len(windows) > len(EXAMPLES)  # a long passage has several
  for item in encoded.items:
    assert len(item.tokens) <= LENGTH
    label = item.label
    assert [(label[label >= 0] & b).astype(bool).sum() for b in (1, 2)] == [
      1,
      1,
    ]
    # The first token and the passage, which is the second text.
    may = item.text == 1
    may[0] = True
    assert np.array_equal(label >= 0, may)
  logits = [logits_of(item.label) for item in encoded.items]
  model = model_that_gives(tokenizer, LENGTH, logits, longest=60, margin=0.0)
  blind = [Question(x.id, x.title, x.context, x.question, ()) for x in EXAMPLES]
  found = Extract().answer(model, TASK, blind)
  assert found == [x.answers[0].text if x.answers else "" for x in EXAMPLES]


def test_a_window_without_the_whole_answer_has_none(tokenizer):
  encoded = Extract().encode(TASK, EXAMPLES[3:4], tokenizer, LENGTH, {})
  *others, last = encoded.items
  assert all(item.label[0] == START | END for item in others)
  assert last.label[0] == 0
  read = tokenizer.decode(last.tokens[last.label >= 0].tolist())
  assert "louis had" in read.casefold()


def test_windows_are_those_of_run_squad():
  """Offsets and owners, as that code computes them."""
  small = itertools.product((0, 1, 7, 30), (5, 8), (2, 5))
  # A last window that is much shorter.
  for count, room, step in (*small, (301, 300, 128)):
    starts, start = [], 0
    while True:  # its loop
      size = min(count - start, room)
      starts.append(start)
      if start + size == count:
        break
      start += min(size, step)
    assert extract._starts(count, room, step) == starts
    for token, owner in enumerate(extract._owners(count, room, starts)):
      best, best_score = None, None
      for number, start in enumerate(starts):
        size = min(count - start, room)
        end = start + size - 1
        if not start <= token <= end:
          continue
        score = min(token - start, end - token) + 0.01 * size
        if best_score is None or score > best_score:
          best, best_score = number, score
      assert owner == best


def window(size, most=None, at=3):
  spans = np.stack([5 * np.arange(size), 5 * np.arange(size) + 4], axis=1)
  most = np.ones(size, bool) if most is None else most
  tokens = np.zeros(at + size + 1, np.int32)
  return extract.Window(0, tokens, tokens, at, spans, most, (0, 0), False)


@pytest.mark.parametrize("longest", [1, 3, 40])
def test_the_best_span_by_brute_force(longest):
  rng = np.random.default_rng(longest)
  for _ in range(20):
    size = int(rng.integers(1, extract.BEST))
    most = rng.random(size) < 0.7
    logits = rng.normal(size=(size + 4, 2))
    one = window(size, most)
    spans = {
      (i, j): logits[3 + i, 0] + logits[3 + j, 1]
      for i in np.flatnonzero(most)
      for j in range(i, min(i + longest, size))
    }
    found = extract.best_of(one, logits, longest)
    assert found.none == pytest.approx(logits[0].sum())
    if not spans:
      assert found.score == -np.inf
      continue
    (i, j), score = max(spans.items(), key=lambda pair: pair[1])
    assert found[:3] == (pytest.approx(score), 5 * i, 5 * j + 4)


def test_no_answer_is_given_where_it_is_likelier_in_every_window():
  found = [Found(4.0, 0, 3, 5.0), Found(1.0, 4, 7, 3.5)]
  assert extract.chosen("abc def", found, True, 0.0) == "abc"
  found.append(Found(-np.inf, 0, 0, 4.5))
  assert extract.chosen("abc def", found[:1], True, 0.0) == ""
  assert extract.chosen("abc def", found[:1], True, 1.5) == "abc"
  assert extract.chosen("abc def", found[:1], False, 0.0) == "abc"


def test_a_question_is_cut_and_counted_and_a_short_row_refused(tokenizer):
  long = question(0, "Ann Lee", "who " * 200)
  encoded = Extract().encode(TASK, [long], tokenizer, LENGTH, {})
  assert encoded.cut == 1
  assert max(len(item.tokens) for item in encoded.items) == LENGTH
  with pytest.raises(UsageError, match="--length=3: the special tokens"):
    Extract().encode(TASK, [long], tokenizer, 3, {})
