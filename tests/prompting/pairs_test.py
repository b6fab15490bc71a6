import pytest

from lm_jax.prompting import pairs
from lm_jax.prompting.pairs import Pair, Splitter
from lm_jax.support.errors import UsageError


class Greedy:
  """Longest words of a vocabulary; ids are the pieces themselves."""

  words = ("the", " the", "re", "there", " dog", " ")

  def encode(self, text):
    found = []
    while text:
      fitting = [w for w in self.words if text.startswith(w)]
      piece = max(fitting, key=len, default=text[0])
      found.append(piece)
      text = text[len(piece) :]
    return found


def test_a_choice_has_the_tokens_that_it_has_in_the_text():
  split = Splitter(Greedy()).ids
  assert split(Pair("a", " dog")) == (["a"], [" dog"])
  # A space at the end of a prompt belongs to the choice.
  assert split(Pair("a ", "dog dog")) == (["a"], [" dog", " dog"])
  # Encoded as a whole, and cut where it differs from the prompt alone.
  assert split(Pair("a the", " dog")) == (["a", " the"], [" dog"])
  assert split(Pair("thez", "re")) == (["the", "z"], ["re"])


def test_a_choice_that_melts_into_the_prompt_keeps_a_token():
  # "the" + "re" is one token: nothing would be left of the choice.
  split = Splitter(Greedy()).ids
  assert split(Pair("the", "re")) == ([], ["there"])
  # Nor is a part of it lost: "x the" has as many tokens as "x the" + "re".
  assert split(Pair("x the", "re dog")) == (
    ["x", " the"],
    ["re", " dog"],
  )
  assert split(Pair("xthe", "re dog")) == (["x"], ["there", " dog"])


def test_a_choice_without_tokens_is_refused():
  split = Splitter(Greedy())
  for pair in (Pair("the", ""), Pair("", "")):
    with pytest.raises(UsageError, match="choice '': has no tokens of its own"):
      split.ids(pair)
  # A prompt that is a part of the text's tokens, and more: nothing is left.
  with pytest.raises(UsageError, match="behind 'the dog'"):
    pairs.first_difference([1, 2], [1], Pair("the dog", "x"))


def test_slots_and_batches():
  assert [pairs.slots(n) for n in (1, 16, 17, 100, 1024, 1025)] == [
    *(16, 16, 32, 128, 1024, 2048)
  ]
  assert [pairs.batch(n) for n in (16, 64, 96, 1024, 4096)] == [
    *(64, 32, 16, 2, 1)
  ]
