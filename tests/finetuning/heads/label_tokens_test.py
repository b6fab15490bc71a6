import types

import numpy as np
import pytest

from lm_jax.examples.forms import Tagged
from lm_jax.finetuning.heads.label_tokens import LabelTokens, labels_of
from lm_jax.support.errors import UsageError

TASK = types.SimpleNamespace(name="toy")
EXAMPLES = [
  Tagged(
    "a",
    ("Ann", "Lee", ",", "of", "Zürich", "6½", "\u200b", "日本"),
    ("B-PER", "I-PER", "O", "O", "B-LOC", "O", "O", "B-LOC"),
  ),
  Tagged("b", ("points",), ("O",)),
  Tagged("c", ("St.", "Louis", "'s") * 30, ("B-LOC", "I-LOC", "O") * 30),
]
LABELS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")


def test_labels_have_both_marks_of_each_kind():
  assert labels_of(EXAMPLES) == LABELS
  only = [Tagged("x", ("a",), ("B-X",))]
  assert labels_of(only) == ("O", "B-X", "I-X")


def test_a_label_stands_where_its_word_begins(tokenizer):
  encoded = LabelTokens().encode(
    TASK, EXAMPLES[:2], tokenizer, 64, {"labels": LABELS, "spaces": "all"}
  )
  assert encoded.cut == 0
  for item, example in zip(encoded.items, EXAMPLES, strict=False):
    text = " ".join(example.words)
    # The same words, told from the text by the tokenizer itself.
    ids, spans = tokenizer.encoder.encode_spans([text])[0]
    before = len(tokenizer.specials.before)
    assert item.tokens[before : before + len(ids)].tolist() == ids.tolist()
    assert item.tokens[0] == tokenizer.specials.boundary
    want, start = np.full(len(item.tokens), -1), 0
    for word, tag in zip(example.words, example.tags, strict=True):
      inside = [
        i
        for i, (a, b) in enumerate(spans)
        if a < b and start <= a < start + len(word)
      ]
      if inside:
        want[before + inside[0]] = LABELS.index(tag)
      start += len(word) + 1
    np.testing.assert_array_equal(item.label, want)
    assert (want >= 0).sum() >= len(example.words) - 1


def test_answers_are_the_tags_and_what_was_cut_is_outside(
  tokenizer, model_that_gives
):
  length = 48
  encoded = LabelTokens().encode(
    TASK, EXAMPLES, tokenizer, length, {"labels": LABELS, "spaces": "all"}
  )
  assert encoded.cut == 1 and len(encoded.items[2].tokens) == length
  logits = [np.eye(len(LABELS))[item.label] for item in encoded.items]
  model = model_that_gives(
    tokenizer, length, logits, labels=LABELS, spaces="all"
  )
  blind = [Tagged(x.id, x.words, ()) for x in EXAMPLES]
  found = LabelTokens().answer(model, TASK, blind)
  # The word without tokens is never seen, and is outside in any case.
  assert [tuple(tags) for tags in found[:2]] == [x.tags for x in EXAMPLES[:2]]
  read = int((encoded.items[2].label >= 0).sum())
  assert 3 < read < 90
  assert tuple(found[2][:read]) == EXAMPLES[2].tags[:read]
  assert set(found[2][read:]) == {"O"}


def test_a_tag_that_was_never_seen_is_said(tokenizer):
  message = (
    "toy, example a: tag 'B-PER': was never seen in training; the model knows"
    " O, B-LOC"
  )
  with pytest.raises(UsageError, match=message):
    LabelTokens().encode(
      TASK,
      EXAMPLES,
      tokenizer,
      64,
      {"labels": ("O", "B-LOC"), "spaces": "script"},
    )


def test_characters_without_spaces_are_read_without(
  tokenizer, model_that_gives
):
  """As the model knew the text: "在ＩＢＭ的人" has no space, "in Bonn" one."""
  words = ("中", "共", "在", "IBM", "，", "not", "Bonn")
  tags = ("B-PER", "I-PER", "O", "B-LOC", "O", "O", "B-LOC")
  examples = [
    Tagged("a", words, tags),
    Tagged("b", tuple("1998年"), ("O",) * 5),
  ]
  options = {"labels": LABELS, "spaces": "script"}
  encoded = LabelTokens().encode(TASK, examples, tokenizer, 64, options)
  for item, text in zip(
    encoded.items, ("中共在IBM，not Bonn", "1998年"), strict=True
  ):
    ids = tokenizer.encode(text)
    assert item.tokens[1 : 1 + len(ids)].tolist() == ids
  logits = [np.eye(len(LABELS))[item.label] for item in encoded.items]
  model = model_that_gives(
    tokenizer, 64, logits, labels=LABELS, spaces="script"
  )
  found = LabelTokens().answer(model, TASK, examples)
  seen = [i for i, tag in enumerate(found[0]) if tag == tags[i]]
  assert len(seen) >= 6  # A byte token may hold the end of a character.
