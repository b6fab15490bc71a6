"""A model as tasks ask it, and what it says of models that can't."""

import jax
import numpy as np
import pytest

from lm_jax.generation import batches
from lm_jax.generation.options import Generation
from lm_jax.language_model import LanguageModel
from lm_jax.language_model.answerer import Answerer
from lm_jax.support.errors import UsageError
from lm_jax.tasks.humaneval import Humaneval
from lm_jax.tasks.lambada import Lambada


@pytest.fixture(scope="module")
def clm(tiny):
  return tiny.model()


def test_greedy_choices_are_those_that_are_generated(clm):
  answerer = Answerer(clm)
  before, size = clm.spec.specials.before, clm.spec.vocabulary
  prompts = [
    (*before, *clm.tokenizer.encode(text)) for text in ("The law of", "We")
  ]
  options = Generation(max_new_tokens=5, eos_token_id=(0,))
  said = answerer.generator.continue_ids(prompts, options)
  for prompt, result in zip(prompts, said, strict=True):
    right = tuple(result.ids)
    assert len(right) == 5
    choices = [right, right[:1], right[:3]]
    for place in range(5):  # one token is another
      other = (right[place] + 1 + place) % size
      choices.append((*right[:place], other, *right[place + 1 :]))
    found = answerer.judge.scores_of_ids([(prompt, c) for c in choices])
    assert found.greedy.tolist() == [True] * 3 + [False] * 5
    assert found.cut == 0
    logits = LanguageModel(clm).logits(np.array([[*prompt, *right]]))[0]
    logs = jax.nn.log_softmax(logits.astype(np.float64))
    for choice, total in zip(choices[:3], found.sums, strict=False):
      start = len(prompt) - 1
      wanted = sum(float(logs[start + i, t]) for i, t in enumerate(choice))
      assert total == pytest.approx(wanted, abs=1e-4)


def test_too_long_prompts_are_counted(clm):
  answerer = Answerer(clm)
  found = answerer.choices([("a b " * 40, "c"), ("a", "c")])
  assert found.cut == 1


def test_batches_do_not_change_a_greedy_text(clm):
  answerer = Answerer(clm)
  prompts = [f"The {'law ' * n}of" for n in range(5)]
  alone = [answerer.continuations([p], max_new_tokens=4)[0] for p in prompts]
  generator = answerer.generator
  for size in (2, 5, 8):
    together = batches.write(
      generator, prompts, {"max_new_tokens": 4}, 0, size, lambda x: x
    )
    assert together == alone


def test_half_of_a_context_is_for_new_tokens(clm, caplog):
  answerer, length = Answerer(clm), clm.spec.length
  letters = {clm.tokenizer.encode(chr(c))[0] for c in range(97, 123)}
  others = tuple(set(range(clm.spec.vocabulary)) - letters)

  def new(prompt):
    ((text,),) = answerer.continuations(
      [prompt], max_new_tokens=10 * length, suppress_tokens=others
    )
    return len(text)

  assert new("a" * 3 * length) == length // 2
  assert "has room for" in caplog.text
  assert new("aaa") == length - 3 - len(clm.spec.specials.before)


def test_blanks_are_filled_between_two_texts(tiny):
  answerer = Answerer(tiny.model("mlm"))
  assert answerer.fills
  found = answerer.fill("The law", 3, " of it")
  assert len(found.encode()) >= 3
  assert found == answerer.fill("The law", 3, " of it")
  # Far more than fits, on both sides.
  assert answerer.fill("x" * 500, 3, "y" * 500)
  with pytest.raises(UsageError, match="blanks: the model reads"):
    answerer.fill("a", 500, "b")


def test_a_model_that_can_not_says_which_can(tiny):
  answerer = Answerer(tiny.model("mlm"))
  able = "those of clm, prefix_lm, ul2 have it"
  with pytest.raises(UsageError, match=f"--tasks=lambada: .*{able}"):
    Lambada().measure(answerer, None)
  task = Humaneval()
  task.run_generated_code = True
  with pytest.raises(UsageError, match="--tasks=humaneval: needs a model that"):
    task.measure(answerer, None)
