import collections

from lm_jax.examples.labelled import Example
from lm_jax.prompting.shots import Draw

TRAIN = [
  Example(str(i), {"text": f"text {i}"}, "abc"[i % 3 and i % 2 + 1])
  for i in range(60)
]


def test_labels_are_balanced_whatever_their_frequency():
  assert len(
    {n for _, n in collections.Counter(e.label for e in TRAIN).items()}
  )
  for seed in range(5):
    for count in (3, 4, 9):
      chosen = Draw(TRAIN, seed, 0).examples(count)
      counts = collections.Counter(e.label for e in chosen).values()
      assert len(chosen) == count
      assert max(counts) - min([*counts, 0 if len(counts) < 3 else 99]) <= 1
      assert len({e.id for e in chosen}) == count


def test_few_are_among_many():
  draw = Draw(TRAIN, 3, 1)
  ids = [{e.id for e in draw.examples(count)} for count in (1, 4, 16)]
  assert ids[0] < ids[1] < ids[2]


def test_a_draw_is_a_function_of_seed_and_number():
  def ids(seed, number):
    return [e.id for e in Draw(TRAIN, seed, number).examples(6)]

  assert ids(0, 0) == ids(0, 0)
  assert len({tuple(ids(s, n)) for s in (0, 1) for n in (0, 1, 2)}) == 6


def test_order_is_shuffled():
  # Drawn in turn, the labels of the second half would be those of the first.
  orders = [
    [e.label for e in Draw(TRAIN, seed, 0).examples(6)] for seed in range(30)
  ]
  assert sum(order[:3] == order[3:] for order in orders) < 10
  assert len({tuple(order) for order in orders}) > 20


def test_never_the_item_itself():
  draw = Draw(TRAIN, 0, 0)
  usual = draw.examples(4)
  for example in usual:
    # The same texts under another id, and whatever label it is given.
    for label in "abc":
      item = Example("test", dict(example.fields), label)
      found = draw.examples(4, item)
      assert len(found) == 4
      assert dict(example.fields) not in [dict(e.fields) for e in found]
      assert len({e.id for e in found} & {e.id for e in usual}) == 3
  other = Example("test", {"text": "other"}, "a")
  assert draw.examples(4, other) == usual
