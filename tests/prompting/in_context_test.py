"""In-context learning with judges whose answers are known."""

import dataclasses
import math

import numpy as np
import pytest

from lm_jax.examples.labelled import Example, Form
from lm_jax.prompting import in_context, template
from lm_jax.prompting.in_context import chosen, measure
from lm_jax.prompting.pairs import Scores
from lm_jax.prompting.prompt import Prompter
from lm_jax.statistics import differences, estimates
from lm_jax.support.errors import UsageError
from lm_jax.tasks.base import LabelledTask

FRONT = """+++
description = "a test"
fields = ["text"]
answer = "label"
choices = { "0" = "bad", "1" = "good" }
calibration = { text = ["N/A", ""] }
+++
Say: {{ text }}
It is"""


class Toy(LabelledTask):
  form = Form(fields={"text": ("text",)}, labels=("no", "yes"))

  def metrics(self, predicted, right):
    return {"yes": sum(p == "yes" for p in predicted) / len(right)}


def _examples(count, name):
  return [
    Example(f"{name}{i}", {"text": f"{name} {i}"}, ("no", "yes")[i % 2])
    for i in range(count)
  ]


TRAIN, ITEMS = _examples(20, "train"), _examples(10, "item")


class Judge:
  """log p(choice | prompt) by a function; a token is a character."""

  kind = "log_likelihood"
  programs = 1

  def __init__(self, log, room=0):
    self.log, self.room, self.asked = log, room, []

  def size(self, prompt, choices):
    return len(prompt) + max(map(len, choices))

  def scores(self, pairs):
    self.asked += pairs
    sums = [self.log(pair.prompt, pair.choice) for pair in pairs]
    return Scores(np.array(sums), np.array([len(p.choice) for p in pairs]))


def _prompter(front=FRONT):
  return Prompter(Toy(), template.parse(front, "--template=x"), "")


def _last(prompt):
  return prompt.rpartition("Say: ")[2].partition("\n")[0]


def _knows(prompt, choice):
  """Even items are bad, odd ones good."""
  text = _last(prompt)
  is_odd = text[-1:].isdigit() and int(text[-1]) % 2
  return 0.0 if choice == (" good" if is_odd else " bad") else -1.0


def test_one_who_knows_and_one_who_does_not():
  found = measure(_prompter(), Judge(_knows), TRAIN, ITEMS, 0, 3, 0)
  assert found.draws == 1 and found.items == 10
  assert found.accuracy["none"].value == 1.0
  assert [p.predicted["none"] for p in found.predictions] == [
    item.label for item in ITEMS
  ]
  wrong = Judge(lambda p, c: -_knows(p, c))
  found = measure(_prompter(), wrong, TRAIN, ITEMS, 0, 3, 0)
  assert found.accuracy["none"].value == 0.0
  assert found.metrics["none"] == {"yes": 0.5}
  # Who can't tell gets a half, and no interval of no width.
  found = measure(_prompter(), Judge(lambda *_: -2.0), TRAIN, ITEMS, 2, 3, 0)
  estimate = found.accuracy["none"]
  assert estimate.value == 0.5
  assert estimate.low < 0.3 and estimate.high > 0.7


def test_one_who_learns_from_shots_alone():
  """It says the label of the last shot."""

  def copies(prompt, choice):
    before = prompt.rpartition("\n\n")[0]
    return 0.0 if before.endswith(choice) else -1.0

  judge = Judge(copies)
  found = measure(_prompter(), judge, TRAIN, ITEMS, 4, 5, 0)
  for p in found.predictions:
    last = next(e for e in TRAIN if e.id == p.shots[-1])
    assert p.predicted["none"] == last.label
    labels = [e.label for e in TRAIN if e.id in p.shots]
    assert sorted(labels) == ["no", "no", "yes", "yes"]
  assert found.accuracy["none"].value == 0.5  # As many items of each label.


def test_the_prompt_as_a_whole():
  judge = Judge(_knows)
  found = measure(_prompter(), judge, TRAIN, ITEMS[:1], 1, 1, 0)
  (shot,) = (e for e in TRAIN if e.id == found.predictions[0].shots[0])
  answer = {"no": "bad", "yes": "good"}[shot.label]
  assert judge.asked[0].prompt == (
    f"Say: {shot.fields['text']}\nIt is {answer}\n\nSay: item 0\nIt is"
  )
  assert judge.asked[0].choice == " bad"
  prompts = {pair.prompt for pair in judge.asked}
  start = judge.asked[0].prompt.removesuffix("item 0\nIt is")
  # The content-free inputs have the same shots; the neutral prompt has none.
  assert prompts == {
    judge.asked[0].prompt,
    f"{start}N/A\nIt is",
    f"{start}\nIt is",
    "Answer:",
  }


def test_the_label_of_an_item_changes_nothing_it_is_asked():
  judges = []
  for flip in (False, True):
    items = [
      dataclasses.replace(item, label={"no": "yes", "yes": "no"}[item.label])
      if flip
      else item
      for item in ITEMS
    ]
    judge = Judge(lambda prompt, choice: -float(len(prompt + choice) % 7))
    found = measure(_prompter(), judge, TRAIN, items, 4, 2, 0)
    judges.append((judge.asked, [p.scores for p in found.predictions]))
  assert judges[0] == judges[1]


def test_an_item_of_the_training_split_is_not_shown():
  judge = Judge(_knows)
  found = measure(_prompter(), judge, TRAIN, TRAIN, 18, 1, 0)
  for number, p in enumerate(found.predictions):
    assert len(p.shots) == 18 and p.id not in p.shots
    # The item, the neutral prompt and two content-free ones, two choices each.
    own, _, *free = (judge.asked[8 * number + 2 * i].prompt for i in range(4))
    start = own.rpartition("Say: ")[0]
    assert [f.rpartition("Say: ")[0] for f in free] == [start, start]


def test_corrections_find_what_is_planted():
  """The likelihood is biased to "bad" by 3 nats, wherever it stands."""

  def biased(prompt, choice):
    bias = 3.0 if choice == " bad" else 0.0
    known = _knows(prompt, choice) if "item" in _last(prompt) else 0.0
    return known + bias - 5.0

  judge = Judge(biased)
  found = measure(_prompter(), judge, TRAIN, ITEMS, 2, 2, 0)
  values = {name: e.value for name, e in found.accuracy.items()}
  assert values["none"] == 0.5
  assert values["unconditional"] == values["calibrated"] == 1.0
  p = found.predictions[0]
  logs = np.array([biased("Say: item 0\n", c) for c in (" bad", " good")])
  assert p.scores["none"] == logs.tolist()
  assert p.scores["token"] == (logs / [4, 5]).tolist()  # With the space.
  assert p.scores["byte"] == (logs / [3, 4]).tolist()
  assert p.scores["unconditional"] == (logs - [-2, -5]).tolist()
  odds = math.exp(3) / (1 + math.exp(3))  # of "bad" without content
  by_hand = np.exp(logs) / np.exp(logs).sum() / [odds, 1 - odds]
  assert np.exp(p.scores["calibrated"]) == pytest.approx(by_hand)


def test_shots_that_do_not_fit_are_dropped_whole_and_counted():
  # A shot has 26 or 27 characters with what parts it, the item 23.
  judge = Judge(_knows, room=80)
  found = measure(_prompter(), judge, TRAIN, ITEMS, 4, 1, 0)
  assert found.dropped == 0.5 and not found.cut
  assert {len(p.shots) for p in found.predictions} == {2}
  plenty = measure(_prompter(), Judge(_knows), TRAIN, ITEMS, 4, 1, 0)
  for few, all_ in zip(found.predictions, plenty.predictions, strict=True):
    assert few.shots == all_.shots[2:]  # Those next to the item stay.
  for pair in judge.asked:
    assert judge.size(pair.prompt, [pair.choice]) <= 80
  cut = measure(_prompter(), Judge(_knows, 10), TRAIN, ITEMS, 4, 1, 0)
  assert cut.cut == 1.0 and cut.dropped == 1.0


def test_intervals_count_draws_and_items():
  noise = np.random.default_rng(0)
  table = {}

  def by_chance(prompt, choice):
    return table.setdefault((prompt, choice), noise.normal())

  items = _examples(200, "item")
  one = measure(_prompter(), Judge(by_chance), TRAIN, items, 2, 1, 0)
  estimate = one.accuracy["none"]
  right = np.array([p.right["none"] for p in one.predictions])
  wilson = estimates.wilson(right.sum(), len(right))
  assert (estimate.low, estimate.high) == (wilson.low, wilson.high)
  # A draw that decides everything: the interval is that of the draws.

  def by_draw(prompt, choice):
    told = _knows(prompt, choice)
    return told if "good" in prompt.partition("\n\n")[0] else -told

  several = measure(_prompter(), Judge(by_draw), TRAIN, items, 4, 8, 0)
  estimate = several.accuracy["none"]
  right = np.array([p.right["none"] for p in several.predictions])
  means = right.reshape(8, -1).mean(1)
  assert set(means) == {0.0, 1.0}
  assert estimate.value == means.mean()
  whole = differences.mean(right.reshape(8, -1), fraction=True)
  assert (estimate.low, estimate.high) == (whole.low, whole.high)
  over_items = estimates.wilson(right.mean() * 200, 200)
  width = over_items.high - over_items.low
  assert estimate.high - estimate.low > 4 * width


def test_limit_draws_items_once_for_all():
  items = _examples(100, "item")
  some = chosen(items, 10, 0)
  assert some == chosen(items, 10, 0) != chosen(items, 10, 1)
  assert [int(e.id[4:]) for e in some] == sorted(int(e.id[4:]) for e in some)
  assert chosen(items, 0, 0) == chosen(items, 100, 0) == items


def test_energies_have_no_corrections_of_probabilities():
  judge = Judge(_knows)
  judge.kind = "energy"
  found = measure(_prompter(), judge, TRAIN, ITEMS, 0, 1, 0)
  assert set(found.accuracy) == {"none", "token", "byte"}
  assert {p.prompt for p in judge.asked} == {
    f"Say: item {i}\nIt is" for i in range(10)
  }


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (
      ('["text"]', '["text", "tone"]'),
      "field tone: in_context_test has none; it has text",
    ),
    (('"1" = "good"', '"yes" = "good", "2" = "x"'), "label '2': unknown"),
    (('"0" = "bad"', '"no" = "bad", "0" = "x"'), "two texts for the label no"),
    (("choices =", "x ="), "key=x: unknown"),
    (
      ('choices = { "0" = "bad", "1" = "good" }', ""),
      "has neither choices nor answer_pattern",
    ),
  ],
)
def test_a_template_that_does_not_fit_the_task(change, message):
  front = FRONT.replace(*change)
  front = front.replace('calibration = { text = ["N/A", ""] }', "")
  with pytest.raises(UsageError, match=message):
    _prompter(front)


def test_shots_need_examples():
  for shots, train, message in (
    (1, [], "has no training split"),
    (30, TRAIN, "has 20 examples"),
  ):
    with pytest.raises(UsageError, match=message):
      measure(_prompter(), Judge(_knows), train, ITEMS, shots, 1, 0)


class Scribe(in_context.Writer):
  """Writes given texts."""

  def __init__(self, texts, samples):
    self.texts, self.samples, self.room, self.spare = texts, samples, 0, 5

  def write(self, prompts, seed):
    del seed
    return [self.texts[_last(prompt)] for prompt in prompts]


def test_votes_of_written_answers():
  front = FRONT.replace(
    'choices = { "0" = "bad", "1" = "good" }',
    "answer_pattern = 'is (\\w+)\\.'",
  ).replace('"N/A", ""', '"N/A"')
  texts = {
    "item 0": ["It is no.", "It is yes.", "It is No."],
    "item 1": ["?", "It is no. So it is yes.", "??"],  # The last match.
    "item 2": ["yes", "maybe", "?"],  # No answer is a wrong one.
    "item 3": ["it is yes.", "it is no.", "?"],  # A tie: the first.
  }
  found = measure(_prompter(front), Scribe(texts, 3), TRAIN, ITEMS[:4], 2, 2, 0)
  of_first = found.predictions[:4]
  assert [p.predicted["vote"] for p in of_first] == ["no", "yes", None, "yes"]
  assert found.accuracy["vote"].value == 0.75
  assert of_first[0].texts == tuple(texts["item 0"])


def test_written_answers_name_labels_by_their_texts():
  front = FRONT.replace(
    'answer = "label"',
    'answer = "label"\n' + ("answer_pattern = 'is (\\w+)\\.'"),
  )
  texts = {"item 0": ["It is Bad."], "item 1": ["It is good."]}
  found = measure(_prompter(front), Scribe(texts, 1), TRAIN, ITEMS[:2], 0, 1, 0)
  assert [p.predicted["vote"] for p in found.predictions] == ["no", "yes"]
  assert found.accuracy["vote"].value == 1.0
