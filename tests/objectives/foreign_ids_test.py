"""Somebody else's special tokens: the same problem in other numbers.

Each problem is made twice, with ids that are all different and in their
order, and with those of a foreign tokenizer. The second must be the first,
every token by its translation.
"""

import dataclasses
import functools
import types

import numpy as np
import pytest
import toy

from lm_jax.objectives.base import Objective
from lm_jax.support import registry
from lm_jax.support.errors import UsageError
from lm_jax.types import ABSENT, Specials

PACKAGE = "lm_jax.objectives"
TEXTS = 260  # ids of text
LENGTH = 40
PIECES = [[14, 12], [40], [9, 8, 11], [19]]
DOCUMENTS = [[24], [40], [28], [19]]
NONE = dict.fromkeys(
  ("separator", "mask", "regular", "sequential", "extreme", "unknown"), ABSENT
)
NO_SENTINELS = {"first_sentinel": ABSENT, "sentinels": 0}

PLAIN = Specials(sentinels=20, start=29)
FOREIGN = {
  # One token for padding, beginning and end, and the others far and wide.
  "shared": Specials(
    pad=77, boundary=77, end=77, unknown=3, separator=5, mask=120, start=119,
    regular=9, sequential=200, extreme=11, first_sentinel=280, sentinels=20,
    sentinel_step=-3, before=(), after=(77,), others=(20, 21, 288),
  ),
  "gpt2": Specials(
    pad=TEXTS, boundary=TEXTS, end=TEXTS, start=ABSENT, before=(),
    **NONE, **NO_SENTINELS,
  ),
  "t5": Specials(
    **NONE | {"unknown": 2}, pad=0, boundary=0, start=0, end=1,
    first_sentinel=TEXTS + 22, sentinels=20, sentinel_step=-1, before=(),
    after=(1,),
  ),
  "bert": Specials(
    **NONE | {"unknown": 100, "separator": 102, "mask": 103},
    pad=0, boundary=101, end=ABSENT, start=ABSENT, before=(101,),
    after=(102,), **NO_SENTINELS,
  ),
}  # fmt: skip
FITS = {
  "shared": toy.OBJECTIVES,
  "gpt2": ["clm", "prefix_lm"],
  "t5": ["clm", "prefix_lm", "span_corruption"],
  "bert": [
    *("clm", "hybrid", "mlm", "mlm_nsp", "mlm_sop", "permutation_lm"),
    *("prefix_lm", "rtd"),
  ],
}


def find(name):
  return registry.find(PACKAGE, name, Objective, "--objective")


def architectures(cls, specials):
  """The natural one, and where the decoder's first token is another."""
  found = {cls.natural, "encoder_decoder"} & cls.architectures
  if specials.start == ABSENT:
    found.discard("encoder_decoder")
  return sorted(found)


CASES = [
  (family, name, architecture)
  for family, names in FITS.items()
  for name in names
  for architecture in architectures(find(name), FOREIGN[family])
]


def world(tiny, specials):
  vocabulary = TEXTS + len(specials.ids)
  return dataclasses.replace(
    tiny, specials=specials, vocabulary=vocabulary, length=LENGTH
  )


def translation(ours, theirs):
  """Their id by ours; ABSENT where they have none."""
  table = np.full(ours.vocabulary, ABSENT)
  table[ours.text_ids] = theirs.text_ids
  for field in dataclasses.fields(Specials):
    value = getattr(ours.specials, field.name)
    if isinstance(value, int) and "sentinel" not in field.name:
      table[value] = getattr(theirs.specials, field.name)
  for (a, _), (b, _) in zip(
    ours.sentinels.items(), theirs.sentinels.items(), strict=False
  ):
    table[a] = b
  return table


def rows_of(tiny, name, specials):
  """Rows with ends and unknown tokens, where the tokenizer has such."""
  pieces = DOCUMENTS if find(name).needs_documents else PIECES
  rows = tiny.rows(pieces, seed=7, end=specials.end != ABSENT)
  if specials.unknown != ABSENT:
    rows.tokens_BxL[:, 5] = tiny.specials.unknown
  return rows


@functools.cache
def plain_problem(tiny, name, architecture, end, unknown):
  ours = world(tiny, PLAIN)
  told = types.SimpleNamespace(end=end, unknown=unknown)
  rows = rows_of(ours, name, told)
  return ours.make(find(name)(), ours.spec(architecture), rows)


@pytest.mark.parametrize(("family", "name", "architecture"), CASES)
def test_a_problem_is_the_same_in_other_numbers(
  tiny, family, name, architecture
):
  ours, theirs = world(tiny, PLAIN), world(tiny, FOREIGN[family])
  rows = rows_of(theirs, name, theirs.specials)
  spec = theirs.spec(architecture)
  objective = find(name)()
  objective.check(spec, len(rows.tokens_BxL), 1)
  found = theirs.make(objective, spec, rows)
  end, unknown = theirs.specials.end, theirs.specials.unknown
  want = plain_problem(tiny, name, architecture, min(end, 0), min(unknown, 0))
  table = translation(ours, theirs)
  for a, b in ((found.inputs, want.inputs), (found.source, want.source)):
    assert (a is None) == (b is None)
    if a is not None:
      there = b.segment_BxT > 0
      np.testing.assert_array_equal(a.segment_BxT, b.segment_BxT)
      tokens = np.where(there, table[b.tokens_BxT], 0)
      np.testing.assert_array_equal(a.tokens_BxT * there, tokens)
      np.testing.assert_array_equal(a.position_BxT, b.position_BxT)
      np.testing.assert_array_equal(a.query_rank_BxT, b.query_rank_BxT)
      np.testing.assert_array_equal(a.key_rank_BxT, b.key_rank_BxT)
  assert set(found.weights) == set(want.weights)
  for key, weight in want.weights.items():
    assert weight.any()
    np.testing.assert_array_equal(found.weights[key], weight)
  # The term that the problem's own targets belong to.
  weight = want.weights["causal" if name == "hybrid" else "nll"] > 0
  targets = np.where(weight, table[want.targets_BxP], 0)
  np.testing.assert_array_equal(found.targets_BxP * weight, targets)


LACKS = [
  ("gpt2", "mlm", "mask"),
  ("gpt2", "denoising", "mask"),
  ("gpt2", "hybrid", "mask"),
  ("gpt2", "permutation_lm", "mask"),
  ("gpt2", "rtd", "mask"),
  ("gpt2", "span_corruption", "sentinel"),
  ("gpt2", "ul2", r"\[R\] \(regular denoising\)"),
  ("t5", "mlm_nsp", "mask"),
  ("t5", "mlm_sop", "mask"),
]


@pytest.mark.parametrize(("family", "name", "lacking"), LACKS)
def test_what_a_tokenizer_lacks_is_said(tiny, family, name, lacking):
  theirs, cls = world(tiny, FOREIGN[family]), find(name)
  message = f"--objective={name}: the tokenizer has no {lacking} token"
  with pytest.raises(UsageError, match=message):
    cls().check(theirs.spec(cls.natural), 4, 1)


@pytest.mark.parametrize(
  ("change", "architecture", "lacking"),
  [
    ({"boundary": ABSENT}, "prefix_decoder", "boundary"),
    ({"start": ABSENT}, "encoder_decoder", "decoder start"),
  ],
)
def test_what_every_objective_needs(tiny, change, architecture, lacking):
  theirs = world(tiny, dataclasses.replace(FOREIGN["shared"], **change))
  with pytest.raises(UsageError, match=f"prefix_lm: .* no {lacking} token"):
    find("prefix_lm")().check(theirs.spec(architecture), 4, 1)


def test_too_few_sentinels(tiny):
  few = dataclasses.replace(FOREIGN["t5"], sentinels=1)
  spec = world(tiny, few).spec("encoder_decoder")
  with pytest.raises(UsageError, match="needs 2 sentinels, .* has 1"):
    find("span_corruption")().check(spec, 4, 1)
