"""What is measured by BLAS does not depend on the number of cores."""

import types

import numpy as np
import sklearn.cluster
import sklearn.linear_model
import threadpoolctl

from lm_jax.tasks import _mauve, _probe


def _threads(monkeypatch, estimator, method):
  """Of each library, filled when the method runs."""
  found = []
  original = getattr(estimator, method)

  def call(self, *args, **kwargs):
    found.extend(x["num_threads"] for x in threadpoolctl.threadpool_info())
    return original(self, *args, **kwargs)

  monkeypatch.setattr(estimator, method, call)
  return found


def test_probes_take_one_thread(monkeypatch):
  rng = np.random.default_rng(0)
  scorer = types.SimpleNamespace(
    text_features=lambda texts: rng.normal(size=(len(texts), 4))
  )
  passages = [types.SimpleNamespace(text="", label=n % 2) for n in range(20)]
  logistic = sklearn.linear_model.LogisticRegression
  found = _threads(monkeypatch, logistic, "fit")
  assert len(_probe.answered(scorer, passages, passages[:5])) == 5
  assert found
  assert set(found) == {1}


def test_mauve_takes_one_thread(monkeypatch):
  vectors_NxD = np.random.default_rng(0).normal(size=(20, 4))
  found = _threads(monkeypatch, sklearn.cluster.KMeans, "fit")
  _mauve.histograms(vectors_NxD, vectors_NxD + 1, 0)
  assert found
  assert set(found) == {1}
