"""Rankings by definition."""

import numpy as np
import pytest

from lm_jax.retrieval import ranking


@pytest.mark.parametrize("k", [0, 1, 7, 49, 50, 80])
def test_the_highest_and_of_equals_the_first(k):
  scores = np.random.default_rng(0).integers(0, 9, 50).astype(np.float32)
  wanted = sorted(range(50), key=lambda i: (-scores[i], i))[:k]
  assert ranking.top(scores, k).tolist() == wanted


def test_reciprocal_ranks_add_up():
  first = {"a": 9.0, "b": 8.0, "c": 1.0}
  second = {"c": 0.3, "a": 0.2, "d": 0.1}
  found = ranking.fuse([first, second], 3)
  assert found == {
    "a": pytest.approx(1 / 61 + 1 / 62),
    "c": pytest.approx(1 / 63 + 1 / 61),
    "b": pytest.approx(1 / 62),
  }
  assert list(found) == ["a", "c", "b"]
  runs = ranking.fuse_runs([{"q": first}, {"r": second}], 1)
  assert runs == {"q": {"a": 1 / 61}, "r": {"c": 1 / 61}}
