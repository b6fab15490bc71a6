from lm_jax.prompting import pairs
from lm_jax.prompting.pairs import Pair, Splitter


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
  assert split(Pair("a ", "dog")) == (["a"], [" dog"])
  # Encoded as a whole, and split at the length of the prompt alone.
  assert split(Pair("a the", " dog")) == (["a", " the"], [" dog"])
  assert split(Pair("thez", "re")) == (["the", "z"], ["re"])


def test_a_choice_that_melts_into_the_prompt_keeps_a_token():
  # "the" + "re" is one token: nothing would be left of the choice.
  assert Splitter(Greedy()).ids(Pair("the", "re")) == ([], ["there"])


def test_slots_and_batches():
  assert [pairs.slots(n) for n in (1, 16, 17, 100, 1024, 1025)] == [
    *(16, 16, 32, 128, 1024, 2048)
  ]
  assert [pairs.batch(n) for n in (16, 64, 96, 1024, 4096)] == [
    *(64, 32, 16, 2, 1)
  ]
