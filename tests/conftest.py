"""What all tests share: the helpers beside this file, and one flag."""

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


# A process may have 65,530 maps of memory on Linux (vm.max_map_count), and each
# compiled program takes some: without any left, XLA aborts.
MOST_MAPS = 20_000


@pytest.fixture(scope="module", autouse=True)
def programs_are_forgotten():
  """What a module has compiled is, before a worker has too many programs."""
  yield
  maps = pathlib.Path("/proc/self/maps")
  if "jax" in sys.modules and maps.exists():
    with maps.open() as lines:
      count = sum(1 for _ in lines)
    if count > MOST_MAPS:
      sys.modules["jax"].clear_caches()


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
