"""A run that was fine-tuned for one task may answer another like it."""

import pytest

from lm_jax.evaluation import fine_tuned, flags, plan
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
def test_heads_answer_what_has_their_form(monkeypatch, own, name, way):
  monkeypatch.setattr(fine_tuned, "task_of", lambda directory: own)
  call = flags.read({"model": ["m"], "tasks": [name]})
  if way is None:
    with pytest.raises(UsageError, match=f"--tasks={name}: is answered by"):
      plan.plan(call)
  else:
    assert [x.way for x in plan.plan(call)] == [way]
