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
