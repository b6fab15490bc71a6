"""The committed results are those of the experiments and the code at hand."""

import dataclasses
import importlib.util
import json
import pathlib
import re

import numpy as np
import pytest

from lm_jax import config as config_lib
from lm_jax import experiments
from lm_jax.data import rows as rows_lib
from lm_jax.runs import grid
from lm_jax.training import assemble

ROOT = pathlib.Path(__file__).parents[1]
RESULTS = sorted((ROOT / "docs" / "results").glob("*.json"))
_PATH = ROOT / "docs" / "refresh.py"
_SPEC = importlib.util.spec_from_file_location("refresh", _PATH)
refresh = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(refresh)
# Other processors and compiler flags round otherwise, which twenty steps make
# larger; another seed of the parameters moves this loss by a percent.
NEAR = 2e-3


def arms_of(name):
  found = experiments.load(name)
  runs = grid.cross(found.runs(), {}, found.SEEDS)
  return {config.arm: config for config in reversed(runs)}


def fingerprints(config):
  """Those of an arm whose runs may be older than options it leaves open.

  The losses of these runs are held to the code below.
  """
  made = [config]
  for path, option in config_lib.versioned(config.objective).items():
    if not config_lib.is_open(config, path):
      continue
    head, _, name = path.rpartition(".")
    for one in list(made):
      if head == "objective":
        own = {**one.objective_options, name: option.absent}
        made.append(dataclasses.replace(one, objective_options=own))
      else:
        group = dataclasses.replace(getattr(one, head), **{name: option.absent})
        made.append(dataclasses.replace(one, **{head: group}))
  return {refresh.fingerprint(one) for one in made}


def known(name):
  path = ROOT / "docs" / "results" / f"{name}.json"
  return json.loads(path.read_text("utf-8"))


@pytest.mark.parametrize("language", sorted(refresh.READMES))
def test_readme_shows_the_committed_results(language):
  text = refresh.READMES[language].read_text("utf-8")
  block = refresh.table(known(refresh.DEFAULT), language)
  assert refresh.replaced(text, block) == text


def test_the_index_and_the_gallery_show_the_committed_results():
  text = refresh.INDEX.read_text("utf-8")
  assert refresh.replaced(text, refresh.index()) == text
  assert refresh.GALLERY.read_text("utf-8") == refresh.gallery()


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_a_page_says_what_its_result_cannot_show(path):
  """docs/refresh.py keeps what was written by hand."""
  _, _, notes = (
    path.with_suffix(".md").read_text("utf-8").partition(refresh.NOTES)
  )
  assert "can't show" in notes


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_results_are_of_the_experiment_as_it_is(path):
  """An experiment that changes needs a new run: docs/refresh.py."""
  now = {
    arm: fingerprints(config) for arm, config in arms_of(path.stem).items()
  }
  then = known(path.stem)["fingerprints"]
  assert set(then) == set(now)
  assert all(then[arm] in now[arm] for arm in now)
  assert known(path.stem)["docstring"] == experiments.load(path.stem).__doc__
  assert path.with_suffix(".md").exists()


def test_branches_of_the_default_experiment_cost_15_percent_at_most():
  cost = known(refresh.DEFAULT)["card"]["Cost"]
  assert float(re.search(r"([\d.]+) % more for branches", cost)[1]) <= 15


def first_loss(config, steps):
  """The loss of the step that a run logs first, without the rest of it."""
  dataset = rows_lib.load(config.data, config.length)
  program = assemble.make_program(config, dataset)
  whole = int(float(config.budget.partition(":")[2])) // program.flops
  state = program.initial(np.uint32(0), np.uint32(0))
  for step in range(steps):
    rows = dataset.batch(0, step, config.batch_size)
    share = np.float32((step + 1) / whole)
    state, metrics = program.step(state, program.place_rows(rows), share)
  return float(metrics["loss"])


def _check_loss(arm):
  step, loss = known(refresh.DEFAULT)["losses"][arm]
  assert first_loss(arms_of(refresh.DEFAULT)[arm], step) == pytest.approx(
    loss, rel=NEAR
  )


def test_the_code_at_hand_trains_as_the_results_say():
  _check_loss("mlm")


@pytest.mark.soak
@pytest.mark.parametrize("arm", sorted(arms_of(refresh.DEFAULT)))
def test_every_arm_trains_as_the_results_say(arm):
  _check_loss(arm)
