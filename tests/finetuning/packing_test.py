"""Examples to rows: nothing is lost, and no neighbour is seen."""

import dataclasses

import jax
import numpy as np
import pytest
import toy
from flax import linen as nn
from hypothesis import given, settings
from hypothesis import strategies as st

from lm_jax.finetuning import packing
from lm_jax.finetuning.heads.base import NO_LABEL, Item
from lm_jax.types import ANSWER, CONTEXT, PADDING


def _items(sizes, seed=0):
  rng = np.random.default_rng(seed)
  items = []
  for number, (context, answer) in enumerate(sizes):
    ids = rng.integers(20, 90, context + answer).astype(np.int32)
    zero = np.zeros(context, np.int32)
    label = np.full(context, NO_LABEL, np.int32)
    label[-1] = number
    items.append(Item(number, ids[:context], zero, label, ids[context:]))
  return items


@settings(max_examples=60, deadline=None)
@given(
  st.lists(
    st.tuples(st.integers(1, 24), st.integers(0, 8)), min_size=1, max_size=90
  ),
  st.integers(1, 6),
)
def test_every_item_has_one_place_and_no_row_is_overfull(sizes, most):
  shape = packing.Shape(32, 8, most)
  items = _items(sizes)
  sizes_Nx2 = packing.sizes(items)
  rows = packing.pack(sizes_Nx2, np.arange(len(items))[::-1], shape)
  assert sorted(np.concatenate(rows).tolist()) == list(range(len(items)))
  for row in rows:
    assert len(row) <= most
    assert (sizes_Nx2[row].sum(axis=0) <= (24, 8)).all()


def test_rows_are_nearly_full():
  """What packing is for: at most a fiftieth of the columns stays empty."""
  rng = np.random.default_rng(0)
  sizes = [(int(n), 0) for n in rng.integers(5, 60, 512)]
  rows = packing.pack(
    np.array(sizes), np.arange(512), packing.Shape(128, 0, 32)
  )
  assert sum(n for n, _ in sizes) / (128 * len(rows)) > 0.98


def test_items_stay_near_their_place_in_the_order():
  sizes_Nx2 = np.tile([[10, 0]], (2000, 1))
  rows = packing.pack(sizes_Nx2, np.arange(2000), packing.Shape(32, 0, 8))
  flat = np.concatenate(rows)
  assert np.abs(flat - np.arange(2000)).max() < packing.WINDOW


def test_rows_hold_what_items_say():
  items = _items([(3, 2), (4, 1), (5, 0)])
  shape = packing.Shape(12, 4, 8)
  rows = packing.lay(items, [np.array([0, 2]), np.array([1])], shape, 7, 3)
  np.testing.assert_array_equal(
    rows.segment_BxL,
    [
      [1, 1, 1, 2, 2, 2, 2, 2, 1, 1, 0, 0],
      [1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0],
      [0] * 12,
    ],
  )
  want = np.where(rows.segment_BxL > 0, CONTEXT, PADDING)
  want[:, 8:][rows.segment_BxL[:, 8:] > 0] = ANSWER
  np.testing.assert_array_equal(rows.part_BxL, want)
  assert rows.tokens_BxL[0, :3].tolist() == items[0].tokens.tolist()
  assert rows.tokens_BxL[0, 8:10].tolist() == items[0].answer.tolist()
  assert (rows.tokens_BxL[rows.segment_BxL == 0] == 7).all()
  assert rows.label[0, 2] == 0 and rows.label[0, 7] == 2
  assert (rows.label >= 0).sum() == 3


CASES = [
  (name, architecture)
  for name in toy.SUPERVISED
  for architecture in sorted(toy.objective_class(name).architectures)
]


@pytest.mark.parametrize(("name", "architecture"), CASES)
def test_a_packed_example_has_the_loss_that_it_has_alone(name, architecture):
  """By the sum of losses: of packed rows, and of one example a row."""
  program = toy.program(name, architecture, batch=4, attention="plain")
  plan = program.plan
  params = toy.start(program).params
  packed = toy.examples(plan.objective, 4, plan.spec)
  alone = _apart(packed, getattr(plan.objective, "answer_length", 0))

  def total(rows):
    def loss(net, rows):
      problem = plan.objective.make(jax.random.key(0), rows, plan.spec)
      terms = plan.objective.loss(net, problem, jax.random.key(0))
      return sum(
        (term.losses * problem.weights[key]).sum()
        for key, term in terms.items()
      )

    run = jax.jit(nn.apply(loss, plan.network))
    return float(run({"params": params}, rows))

  assert len(alone.tokens_BxL) > len(packed.tokens_BxL)
  np.testing.assert_allclose(total(packed), total(alone), 2e-5)


def _apart(rows, answers):
  """The examples of rows, one a row, at the start of its two parts."""
  found = []
  length = rows.tokens_BxL.shape[1]
  for b, segment_L in enumerate(rows.segment_BxL):
    for segment in range(1, segment_L.max() + 1):
      out = {}
      for field in dataclasses.fields(rows):
        empty = {"part_BxL": PADDING, "label": NO_LABEL}.get(field.name, 0)
        values = np.full(length, empty, np.int32)
        for start, stop in ((0, length - answers), (length - answers, length)):
          part = slice(start, stop)
          chosen = getattr(rows, field.name)[b, part][
            segment_L[part] == segment
          ]
          values[start : start + len(chosen)] = chosen
        if field.name == "segment_BxL":
          values = (values > 0).astype(np.int32)
        out[field.name] = values
      found.append(out)
  return type(rows)(
    **{name: np.stack([row[name] for row in found]) for name in found[0]}
  )
