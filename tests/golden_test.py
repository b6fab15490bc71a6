"""One training step of each objective gives the numbers that it always gave.

They were computed on a CPU in float32. Where a change is meant,

    python -m pytest -n 0 tests/golden_test.py --rewrite-golden

writes tests/golden.json anew; say in the commit why the numbers moved. A new
objective needs no numbers; once it has them, tests/helpers/shipped.py names it.
"""

import dataclasses
import json
import math
import pathlib

import jax
import numpy as np
import pytest
import shipped
import toy

from lm_jax.training.program import Program

HALVES = ("mlm_nsp", "mlm_sop")
PATH = pathlib.Path(__file__).with_name("golden.json")


def _checksum(params):
  """A sum over all parameters in which each has a weight of its own."""
  total, index = 0.0, 0
  for leaf in jax.tree.leaves(params):
    flat = np.asarray(leaf, np.float64).ravel()
    total += float(flat @ np.cos(index + np.arange(flat.size)))
    index += flat.size
  return total


def _check(request, name, found):
  """Compares with the file's numbers under a name, or writes them there."""
  numbers = json.loads(PATH.read_text()) if PATH.exists() else {}
  if request.config.getoption("--rewrite-golden"):
    numbers[name] = found
    PATH.write_text(json.dumps(numbers, indent=2, sort_keys=True) + "\n")
  new = {*toy.OBJECTIVES} - {*shipped.OBJECTIVES}
  if name in new and name not in numbers:
    pytest.skip(f"{name} is new: --rewrite-golden writes its numbers")
  # The absolute part is for checksums that happen to cancel.
  assert found == pytest.approx(numbers[name], rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("name", toy.OBJECTIVES)
def test_a_step_is_golden(request, name):
  program = toy.program(name)
  state, metrics = toy.step(program, toy.start(program), toy.rows_for(program))
  found = {key: float(metrics[key]) for key in ("loss", "grad_norm")}
  found["parameters"] = _checksum(state.params)
  # What it must be near to, whatever the file says: small random weights
  # know nothing of the vocabulary, the pair, or the replaced tokens.
  blind = math.log(toy.VOCABULARY)
  if name in ("mlm_nsp", "mlm_sop"):
    blind += math.log(2)
  if name == "rtd":
    blind += 50 * math.log(2)
  if name in shipped.OBJECTIVES:  # the loss of a new one may be any
    assert found["loss"] == pytest.approx(blind, rel=0.02)
  assert np.all(np.isfinite([*found.values()]))
  _check(request, name, found)


@pytest.mark.parametrize("name", HALVES)
def test_pairs_of_halves_are_what_they_were(request, name):
  plan = toy.program(name).plan
  objective = dataclasses.replace(plan.objective, pairs="halves")
  program = Program(dataclasses.replace(plan, objective=objective))
  state, metrics = toy.step(program, toy.start(program), toy.rows_for(program))
  found = {key: float(metrics[key]) for key in ("loss", "grad_norm")}
  found["parameters"] = _checksum(state.params)
  _check(request, f"{name} halves", found)


def test_initial_parameters_are_golden(request):
  program = toy.program("rtd")  # it has every kind of them
  params = toy.initial(program).params
  _check(request, "initial", {"parameters": _checksum(params)})


def test_the_file_has_all_numbers_and_none_of_what_is_gone():
  numbers = json.loads(PATH.read_text())
  halves = {f"{name} halves" for name in HALVES}
  needed = {*shipped.OBJECTIVES, *halves, "initial"}
  assert needed <= set(numbers) <= needed | {*toy.OBJECTIVES}
  assert set(shipped.OBJECTIVES) <= set(toy.OBJECTIVES)
