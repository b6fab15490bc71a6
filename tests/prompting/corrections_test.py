"""Against the formulas of the papers, in probabilities and float64."""

import numpy as np
import pytest

from lm_jax.prompting import corrections

LOGS = np.log(np.array([0.02, 0.005, 0.01]))


def test_lengths():
  tokens, sizes = np.array([2, 1, 4]), np.array([8, 4, 2])
  found = corrections.per_token(LOGS, tokens)
  assert np.exp(found) == pytest.approx([0.02**0.5, 0.005, 0.01**0.25])
  found = corrections.per_byte(LOGS, sizes)
  assert np.exp(found) == pytest.approx([0.02**0.125, 0.005**0.25, 0.1])


def test_unconditional_is_a_ratio():
  neutral = np.log(np.array([0.04, 0.001, 0.1]))
  found = corrections.unconditional(LOGS, neutral)
  assert np.exp(found) == pytest.approx([0.5, 5.0, 0.1])


def test_calibration_is_that_of_zhao():
  free = np.log(np.array([[0.3, 0.1, 0.1], [0.02, 0.005, 0.005]]))
  found = corrections.calibrated(LOGS, free)
  # Their W, from probabilities among the choices; q = softmax(W p).
  p = np.array([0.02, 0.005, 0.01]) / 0.035
  p_cf = (np.array([0.6, 0.2, 0.2]) + np.array([2 / 3, 1 / 6, 1 / 6])) / 2
  weighted = np.linalg.inv(np.diag(p_cf)) @ p
  assert np.exp(found) == pytest.approx(weighted)
  assert found.argmax() == weighted.argmax() == 2 != LOGS.argmax()


def test_calibration_does_not_depend_on_scale_and_bears_small_numbers():
  free = np.array([[-3.0, -1.0], [-2.0, -2.5]])
  logs = np.array([-1.0, -2.0])
  plain = corrections.calibrated(logs, free)
  assert corrections.calibrated(logs - 900, free - 800) == pytest.approx(plain)
  assert np.isfinite(corrections.calibrated(logs, free * 1000)).all()
