"""Candidates as a model reads them, and the answers that scores give."""

import types

import numpy as np
import pytest

from lm_jax.examples.forms import Example
from lm_jax.finetuning.heads import _reading
from lm_jax.finetuning.heads.multiple_choice import MultipleChoice
from lm_jax.support.errors import UsageError
from lm_jax.tasks.arc_easy import ArcEasy
from lm_jax.tasks.copa import Copa
from lm_jax.tasks.hellaswag import Hellaswag
from lm_jax.tasks.piqa import Piqa
from lm_jax.tasks.race import Race

PASSAGE = "Ann Lee said so. The Panthers gave up 308 points."


def race(question="Who said _ so", label="C", **fields):
  options = {"A": "St. Louis", "B": "Zürich", "C": "Ann", "D": "É."}
  fields = {"article": PASSAGE, "question": question, **options, **fields}
  return Example("high1.txt-0", fields, label)


def test_a_candidate_stands_in_the_blank_or_behind_the_question():
  found = Race().candidates(race())
  assert list(found) == ["A", "B", "C", "D"]
  assert found["C"] == (PASSAGE, "Who said Ann so")
  assert Race().candidates(race("___ said _?"))["D"][1] == "É. said É.?"
  assert Race().candidates(race("Who?"))["D"] == (PASSAGE, "Who? É.")
  # What re.sub would take for a group stands as it is.
  assert Race().candidates(race(A=r"\1"))["A"][1] == r"Who said \1 so"


def test_tasks_say_what_a_candidate_is_read_with():
  fields = {"premise": "He fell.", "choice1": "He slept.", "choice2": "Ice."}
  cause = Example("1", {**fields, "question": "cause"}, "choice2")
  assert Copa().candidates(cause) == {
    "choice1": ("He fell.", "What was the cause of this? He slept."),
    "choice2": ("He fell.", "What was the cause of this? Ice."),
  }
  effect = Example("1", {**fields, "question": "effect"}, "choice2")
  assert "happened as a result? Ice." in Copa().candidates(effect)["choice2"][1]
  untold = Example("1", {**fields, "question": ""}, "choice2")
  assert Copa().candidates(untold)["choice1"] == ("He fell.", "He slept.")
  goal = Example("1", {"goal": "Cut.", "sol1": "Knife.", "sol2": "Cup."}, "0")
  assert Piqa().candidates(goal)["1"] == ("Cut.", "Cup.")
  endings = {f"ending{i}": f"e{i}" for i in range(4)}
  context = Example("1", {"query": "Q", **endings}, "2")
  assert Hellaswag().candidates(context)["3"] == ("Q", "e3")


def test_arc_leaves_out_the_choices_that_there_are_not():
  choices = {f"choice{i}": text for i, text in enumerate(["a", "b", "c"])}
  fields = {"question": "Q?", **choices, "choice3": "", "choice4": ""}
  found = ArcEasy().candidates(Example("1", fields, "1"))
  assert found == {"0": ("Q?", "a"), "1": ("Q?", "b"), "2": ("Q?", "c")}


def test_an_item_has_the_candidates_side_by_side(tokenizer):
  options = {"choices": 4}
  encoded = MultipleChoice().encode(
    Race(), [race()], tokenizer, 4 * 256, options
  )
  [item] = encoded.items
  assert encoded.cut == 0
  for index, texts in enumerate(Race().candidates(race()).values()):
    here = item.label // 2 == index
    ids = [np.int32(tokenizer.encode(text)) for text in texts]
    want = _reading.joined(tokenizer, ids, 256)
    np.testing.assert_array_equal(item.tokens[here], want.tokens)
    np.testing.assert_array_equal(item.text[here], want.text)
    assert (item.label[here] % 2 == (index == 2)).all()
  # In their order, none between others.
  assert (np.diff(item.label // 2) >= 0).all()
  assert MultipleChoice().options(Race(), []) == options


def test_what_is_too_long_loses_its_end_and_is_counted_once(tokenizer):
  long = race(article=PASSAGE * 9)
  for length, cut in ((4 * 640, 0), (4 * 60, 1), (4 * 60 + 3, 1)):
    encoded = MultipleChoice().encode(
      Race(), [long], tokenizer, length, {"choices": 4}
    )
    [item] = encoded.items
    sizes = np.bincount(item.label // 2)
    assert encoded.cut == cut
    assert (sizes == 60).all() if cut else (sizes < 640).all()


def test_no_room_is_one_clear_line(tokenizer):
  with pytest.raises(UsageError) as error:
    MultipleChoice().encode(Race(), [race()], tokenizer, 15, {"choices": 4})
  said = str(error.value)
  assert "--length=15: has 3 tokens for each of 4 candidates" in said
  assert "race, example high1.txt-0 needs at least" in said
  assert "\n" not in said


@pytest.mark.parametrize(("label", "choices", "message"), [
  ("E", 4, "label 'E': is none of its candidates A, B, C, D"),
  ("A", 3, "has 4 candidates; must be 2 to 3"),
])  # fmt: skip
def test_what_does_not_fit_is_told_with_its_example(
  tokenizer, label, choices, message
):
  with pytest.raises(UsageError, match=message):
    MultipleChoice().encode(
      Race(), [race(label=label)], tokenizer, 999, {"choices": choices}
    )


def test_short_candidates_take_four_columns_each(tokenizer):
  """Or a row could hold more texts than the program has room for."""
  bare = types.SimpleNamespace(
    name="bare", candidates=lambda example: {"0": ("", ""), "1": ("", "")}
  )
  encoded = MultipleChoice().encode(
    bare, [Example("1", {}, "1")], tokenizer, 64, {"choices": 2}
  )
  [item] = encoded.items
  assert len(item.tokens) == len(item.label) == len(item.text) >= 8


def test_the_answer_has_the_highest_score_of_those_there_are(
  tokenizer, model_that_gives
):
  scores = [[0.1, 0.3, 0.2, -1.0], [4.0, -2.0, 5.0, 9.0]]
  model = model_that_gives(tokenizer, 1024, scores, choices=4)
  found = MultipleChoice().answer(model, Race(), [race(), race()])
  assert found == ["B", "D"]
  fields = {"question": "Q?", "choice0": "a", "choice1": "b", "choice2": ""}
  two = Example("1", {**fields, "choice3": "", "choice4": ""}, "0")
  model = model_that_gives(tokenizer, 1024, [[1, 2, 3, 4, 5]], choices=5)
  assert MultipleChoice().answer(model, ArcEasy(), [two]) == ["1"]
