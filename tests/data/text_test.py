import hypothesis
import hypothesis.strategies as st
import pytest

from lm_jax.data import text as texts


def test_sentences_end_where_a_reader_would_end_them():
  text = (
    'Mr. Adams of the U.S. Senate, No. 5, spoke. "Was it so?" He said "no." '
    "We paid $1.50 in all! (It was J. Q. Adams.) The end...\n\n"
    "A heading\n\nNext: it works, e.g. Here; and goes on."
  )
  assert texts.sentences(text) == [
    "Mr. Adams of the U.S. Senate, No. 5, spoke.",
    '"Was it so?"',
    'He said "no."',
    "We paid $1.50 in all!",
    "(It was J. Q. Adams.)",
    "The end...",
    "A heading",
    "Next: it works, e.g. Here; and goes on.",
  ]


_TEXTS = st.text('Ab. !?\n"é\t', max_size=60)


@hypothesis.given(_TEXTS, st.integers(2, 20))
def test_cuts_lose_nothing(text, limit):
  assert "".join(texts.paragraphs(text)) == text
  pieces = list(texts.pieces(text, limit))
  assert "".join(pieces) == text
  assert max(map(len, pieces)) <= limit
  starts = texts.sentence_starts(text)
  assert starts[0] == 0
  assert starts == sorted(set(starts))
  assert all(text[start:].strip() for start in starts[1:])


@pytest.mark.parametrize(
  ("text", "parts"),
  [
    ("one\n\ntwo\n \n\nthree", ["one\n\n", "two\n \n\n", "three"]),
    ("one\ntwo\n", ["one\n", "two\n"]),
    ("", []),
  ],
)
def test_paragraphs_or_else_lines(text, parts):
  assert texts.paragraphs(text) == parts


def test_hashes_hold_out_a_twentieth_each():
  found = [texts.held_out(texts.text_hash(str(i))) for i in range(4000)]
  assert 150 < found.count("validation") < 250
  assert 150 < found.count("test") < 250


@pytest.mark.parametrize(
  ("line", "count", "before"),
  [
    ("Он родился в 1990 г. весной. Потом уехал.", 2, 3),
    ("Er kam um 8 Uhr ca. öfter als sonst. Dann ging er.", 2, 3),
    ("河水上涨了。桥已经关闭。人们绕路。", 3, 1),
    ("नदी में पानी बढ़ गया। पुल बंद है।", 2, 1),
    ("これは本です。 それも？はい！", 3, 1),
    ("هل هذا كتاب؟ نعم۔", 2, 1),
    ("We met at 3 p.m. there. It was late.", 2, 2),
  ],
)
def test_sentences_of_other_scripts(line, count, before):
  """Runs of before these counted go on as they began."""
  assert len(texts.sentences(line)) == count
  assert len(texts.sentence_starts(line, "latin")) == before
