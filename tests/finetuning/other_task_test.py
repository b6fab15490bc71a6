"""A run that was fine-tuned for one task may answer another like it."""

import types

import pytest

from lm_jax.evaluation import flags, plan
from lm_jax.evaluation.results import HEAD, PROMPT
from lm_jax.support.errors import UsageError


@pytest.mark.parametrize(
  ("own", "name", "way"),
  [
    ("subjqa", "subjqa", HEAD),
    ("subjqa", "xquad", HEAD),
    ("wnut17", "conll", HEAD),
    ("sst2", "movie_reviews", PROMPT),
    ("subjqa", "wnut17", None),
    ("", "xquad", None),
  ],
)
def test_heads_answer_what_has_their_form(own, name, way):
  source = types.SimpleNamespace(task=own)
  call = flags.EvaluateFlags("m", (name,))
  if way is None:
    with pytest.raises(UsageError, match=f"--tasks={name}: is answered by"):
      plan.plan(call, source)
  else:
    assert [x.way for x in plan.plan(call, source)] == [way]
