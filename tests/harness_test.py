"""How requests of lm-evaluation-harness become tokens, without a model."""

import types

import pytest

pytest.importorskip("lm_eval")

from lm_jax.harness import HarnessModel, generation
from lm_jax.support.errors import UsageError

END = 0
PIECES = ("the", " the", "re", "there", " dog", " ", "\n", "x")


class Tokens:
  """Longest pieces first; "~" has no token."""

  fingerprint = "pieces"

  def encode(self, text):
    found, text = [], text.replace("~", "")
    while text:
      piece = max((p for p in PIECES if text.startswith(p)), key=len)
      found.append(1 + PIECES.index(piece))
      text = text[len(piece) :]
    return found


def ids(*pieces):
  return [1 + PIECES.index(piece) for piece in pieces]


def model(before=(), backend="causal"):
  made = object.__new__(HarnessModel)
  made.backend = backend
  made._tokenizer = Tokens()
  made._specials = types.SimpleNamespace(
    before=before, boundary=END, after=(99,)
  )
  made._before = list(before)
  return made


@pytest.mark.parametrize(
  ("context", "continuation", "read", "scored"),
  [
    ("x the", " dog", ids("x", " the"), ids(" dog")),
    # White space at the end of a context goes to what follows it.
    ("x ", "the", ids("x"), ids(" the")),
    ("x\n", " dog", ids("x"), ids("\n", " dog")),
    # All of it is in a token with the context's end: (0, True) before.
    ("x\nthe", "re", ids("x", "\n"), ids("there")),
    # A part of it was lost before: " dog" alone was scored.
    ("xthe", "re dog", ids("x"), ids("there", " dog")),
    ("the", "re", [END], ids("there")),
    ("", "the dog", [END], ids("the", " dog")),
    (" ", "the", [END], ids(" the")),
  ],
)
def test_continuations_are_cut_where_tokens_first_differ(
  context, continuation, read, scored
):
  assert model()._encode_pair(context, continuation) == (read, scored)
  found = model(before=(END,))._encode_pair(context, continuation)
  with_start = [END, *(read if read != [END] else [])]
  assert found == (with_start, scored)


@pytest.mark.parametrize("backend", ["causal", "seq2seq"])
@pytest.mark.parametrize(
  ("context", "continuation"),
  [("x", ""), ("x", "~"), ("", ""), ("", "~"), ("x~", "~")],
)
def test_a_continuation_without_tokens_is_refused(
  backend, context, continuation
):
  request = types.SimpleNamespace(args=(context, continuation))
  with pytest.raises(UsageError, match="has no tokens of its own") as error:
    model(backend=backend).loglikelihood([request])
  assert "\n" not in str(error.value)


def test_texts_of_an_encoder_and_a_decoder_are_encoded_apart():
  found = model(backend="seq2seq")._encode_pair("the", "re")
  assert found == ([*ids("the"), 99], ids("re"))


def test_a_text_without_tokens_has_no_rolling_likelihood():
  request = types.SimpleNamespace(args=("~",))
  with pytest.raises(UsageError, match="choice '~': has no tokens"):
    model().loglikelihood_rolling([request])


@pytest.mark.parametrize("room", [2, 3, 5, 40])
def test_a_rolling_likelihood_pays_for_each_token_once(room):
  made, asked = model(), []

  class Likelihood:
    """Gives each token the same log probability."""

    def scores_of_ids(self, pairs):
      asked.extend(pairs)
      sums = [-2.5 * len(choice) for _, choice in pairs]
      return types.SimpleNamespace(sums=sums, greedy=[False] * len(pairs))

  made.cache_hook = types.SimpleNamespace(add_partial=lambda *_: None)
  made._likelihood = Likelihood()
  made._likelihood.room = room
  text = "the dog there\nx the dogx  the" * 3
  request = types.SimpleNamespace(args=(text,))
  (total,) = made.loglikelihood_rolling([request])
  assert total == -2.5 * len(Tokens().encode(text))
  scored = [token for _, choice in asked for token in choice]
  assert scored == Tokens().encode(text)
  assert (
    max(len(read) + len(choice) for read, choice in asked) <= room + 1
  )  # the last is not read


@pytest.mark.parametrize(
  ("asked", "wanted"),
  [
    ({"until": ["."]}, {"do_sample": False}),
    ({"do_sample": False, "temperature": 0.7}, {"do_sample": False}),
    ({"do_sample": True}, {"do_sample": True}),
    (
      {"temperature": 0.5, "top_p": 0.9},
      {"do_sample": True, "temperature": 0.5, "top_p": 0.9},
    ),
  ],
)
def test_tasks_need_not_say_how_to_sample(asked, wanted):
  """Neither may be named: greedy, as the harness's own models generate."""
  options, stops = generation({**asked, "max_gen_toks": 8})
  assert stops == list(asked.get("until", []))
  fixed = {"max_new_tokens": 8, "stop_strings": tuple(stops)}
  assert options == fixed | wanted


def test_a_directory_of_own_objectives_is_checked():
  with pytest.raises(UsageError, match="--model_args plugins=nowhere: must be"):
    HarnessModel(pretrained="runs/mine", plugins="nowhere")
