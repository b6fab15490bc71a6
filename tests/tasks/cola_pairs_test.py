"""Pairs of CoLA's sentences, and words in blanks."""

import pytest
from json_lines import write
from known_scores import Model, task

from lm_jax.examples.cloze_items import make_items
from lm_jax.examples.labelled import Example
from lm_jax.examples.sentence_pairs import distance, nearest
from lm_jax.tasks.cloze import Cloze
from lm_jax.tasks.cola_pairs import ColaPairs


def test_sentences_of_cola_are_paired_with_the_nearest():
  def example(number, text, good):
    label = "acceptable" if good else "unacceptable"
    return Example(str(number), {"text": text}, label)

  rows = [
    example(0, "The cat sat on the mat.", True),
    example(1, "The cat sat the mat on.", False),
    example(2, "The cat sat the mat.", False),
    example(3, "The dog sat on a mat.", True),
    example(4, "Nothing is like this one.", False),
    example(5, "The dog sat on a mat.", False),  # labelled twice
  ]
  found = nearest(rows)
  # 2 is one word from 0, nearer than 1 is; and 3 is too far from 1.
  assert [(n.good.id, n.bad.id, n.equal_length) for n in found] == [
    ("0", "2", False)
  ]
  for one, other in (("a b", "a b"), ("a b c", "c"), ("", "a"), ("a", "b")):
    one, other = one.split(), other.split()
    exact = levenshtein(one, other)
    assert distance(one, other, 2) == min(exact, 3)


def levenshtein(one, other):
  """By its definition."""
  if not one or not other:
    return len(one) + len(other)
  return min(
    levenshtein(one[1:], other) + 1,
    levenshtein(one, other[1:]) + 1,
    levenshtein(one[1:], other[1:]) + (one[0] != other[0]),
  )


def test_cola_pairs(tmp_path):
  rows = [
    {"text": "They are here.", "label": 1},
    {"text": "They is here.", "label": 0},
    {"text": "We left.", "label": 1},
    {"text": "We lefted now.", "label": 0},
  ]
  write(tmp_path / "c_train.jsonl", rows[:2])
  write(tmp_path / "c_dev.jsonl", rows)
  found = task(ColaPairs, tmp_path / "c").measure(
    Model(lambda text: "is" in text), None
  )
  assert found.metrics == {
    "cola_pairs": pytest.approx(0.5 / 3),
    "cola_pairs/equal_length": 0.0,
    "cola_pairs/other_length": 0.5,
    "cola_pairs/items": 3.0,
  }
  assert [p["id"] for p in found.predictions] == ["train/2", "test/2", "test/4"]


WORDS = [f"{letter * 3}e" for letter in "bcdfghjklmn"]


TEXTS = [
  {"text": f"The very {a} thing is not {b} at all."}
  for a in WORDS
  for b in WORDS
]


@pytest.mark.parametrize("fills", [True, False])
def test_cloze(tmp_path, fills):
  place = write(tmp_path / "texts.jsonl", TEXTS)
  real = {record["text"] for record in TEXTS}
  model = Model(lambda t: 0.0 if t in real else -5.0, fills=fills)
  made = task(Cloze, place, limit=40)
  assert not made.reads_corpus
  found = made.measure(model, None)
  assert found.metrics["cloze/items"] == 40
  # All words but "thing", "very" and "at" fit anywhere: only those are told.
  assert 0 < found.metrics["cloze"] < 1
  assert ("cloze/perplexity" in found.metrics) == fills
  for prediction in found.predictions:
    blank = prediction["text"]
    assert blank.replace("___", prediction["right"]) in real
    assert len(set(prediction["choices"])) == 10
    assert prediction["right"] in prediction["choices"]
  again = made.measure(model, None)
  assert again.predictions == found.predictions


def test_words_of_a_blank_are_equally_frequent():
  texts = [" ".join([f"w{'abcdefghij'[n]}xx"] * 5 * (n + 1)) for n in range(10)]
  texts += [" ".join([f"r{'abcdefghij'[n]}xx"] * 5 * 2**n) for n in range(10)]

  def of(split):
    if split == "test":
      return iter(["The long road goes to waxx and then on."])
    return iter(texts)

  (blank,) = make_items(of, 5, 4, 0)
  assert blank.word == "waxx"
  assert sorted(blank.words) == ["raxx", "rbxx", "waxx", "wbxx"]
