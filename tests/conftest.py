"""What all tests share: the helpers beside this file, and one flag."""

import gc
import importlib.util
import os
import pathlib
import sys

import pytest

# Tests are imported by path (--import-mode=importlib), so that helpers of
# theirs (toy.py, reference.py) are found only if this folder is searched.
sys.path.append(str(pathlib.Path(__file__).parent))


# Transformers looks for nothing on the network.
os.environ.setdefault("HF_HUB_OFFLINE", "1")


# Each compiled program takes some memory maps of its process, and lives while
# JAX's caches hold it. XLA compiles the slower the more there are: with 15,000
# maps it takes 2.2 times as long as with 500. Between the tests of a module,
# which share programs, more of them are let live than between modules.
MOST_MAPS = {"module": 2_500, "function": 6_000}


@pytest.fixture(scope="module", autouse=True)
def programs_are_forgotten():
  """What a module has compiled is, before a worker has too many programs."""
  yield
  forget_programs(MOST_MAPS["module"])


@pytest.fixture(autouse=True)
def many_programs_are_forgotten():
  """What a test has compiled is, where a module compiles very many."""
  yield
  forget_programs(MOST_MAPS["function"])


def forget_programs(most):
  """Empties JAX's caches where this process has more maps of memory."""
  maps = pathlib.Path("/proc/self/maps")
  if "jax" in sys.modules and maps.exists():
    with maps.open("rb") as lines:
      count = sum(1 for _ in lines)
    if count > most:
      sys.modules["jax"].clear_caches()
      gc.collect()


def pytest_addoption(parser):
  parser.addoption(
    "--rewrite-golden",
    action="store_true",
    help="write the numbers of tests/golden.json anew",
  )


def pytest_collection_modifyitems(items):
  """Comparisons with PyTorch are skipped where it is not installed."""
  found = all(map(importlib.util.find_spec, ("torch", "transformers")))
  for item in items:
    if not found and item.get_closest_marker("parity"):
      item.add_marker(pytest.mark.skip(reason="torch, transformers missing"))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
  """Configurations of tiny runs (tests/tiny.py)."""
  from tiny import Tiny

  return Tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def finished(tiny, tmp_path_factory):
  """A run of clm that is done, not to be changed: its configuration."""
  from lm_jax.training import run

  config = tiny.config(tmp_path_factory.mktemp("finished"))
  assert run.pretrain(config, progress=False)["status"] == "done"
  return config
