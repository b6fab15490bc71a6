"""What all tests share: the helpers in helpers/, and flags."""

import gc
import importlib.util
import os
import pathlib
import sys

import pytest

# Tests are imported by path (--import-mode=importlib), so that helpers of
# theirs (toy.py, reference.py) are found only if this folder is searched.
# The drills of faults/ are a package.
_HERE = pathlib.Path(__file__).parent
sys.path += [str(_HERE / "helpers"), str(_HERE)]


def pytest_configure(config):
  # Before the workers, and each of them before JAX.
  if not config.getoption("--optimized"):
    import xla_flags

    xla_flags.compile_quickly()
  from lm_jax.support import plugins

  for directory in config.getoption("own_plugins"):
    plugins.add(directory)


def pytest_collection_finish(session):
  if session.items and not session.config.option.collectonly:
    import xla_flags

    xla_flags.keep_programs()
  # Tracing makes many small objects, and each full collection would look
  # through all that was imported: a tenth of its time.
  gc.collect()
  gc.freeze()
  gc.set_threshold(100_000, 20, 50)


# Transformers looks for nothing on the network.
os.environ.setdefault("HF_HUB_OFFLINE", "1")


# Each compiled program takes some memory maps of its process, and lives while
# JAX's caches hold it. XLA compiles the slower the more there are: with 15,000
# maps it takes 2.2 times as long as with 500. So the caches are emptied when a
# process has so many more maps than the last time left it with: more within a
# module, whose tests share programs, than between modules.
MORE_MAPS = {"module": 4_000, "function": 8_000}
left = {"maps": 0}


@pytest.fixture(scope="module", autouse=True)
def programs_are_forgotten():
  """What a module has compiled is, before a worker has too many programs."""
  yield
  forget_programs(MORE_MAPS["module"])


@pytest.fixture(autouse=True)
def many_programs_are_forgotten():
  """What a test has compiled is, where a module compiles very many."""
  yield
  forget_programs(MORE_MAPS["function"])


@pytest.fixture(autouse=True)
def runs_stay_in_this_process(monkeypatch):
  """An experiment's runs do by default, and share what is compiled here."""
  where = "lm_jax.runs.launchers._room.fastest"
  monkeypatch.setattr(where, lambda batch: 1)


@pytest.fixture(autouse=True)
def few_items_rank(monkeypatch):
  """Tiny corpora have few pairs; floor_test.py has the floor of users."""
  monkeypatch.setattr("lm_jax.report.floor.FEWEST", 1)


def forget_programs(more):
  """Empties JAX's caches where there are so many more maps of memory."""
  if "jax" in sys.modules and maps() > left["maps"] + more:
    sys.modules["jax"].clear_caches()
    gc.collect()
    left["maps"] = maps()


def maps():
  """How many this process has; 0 where the system does not tell."""
  path = pathlib.Path("/proc/self/maps")
  if not path.exists():
    return 0
  with path.open("rb") as lines:
    return sum(1 for _ in lines)


def pytest_addoption(parser):
  parser.addoption(
    "--optimized",
    action="store_true",
    help="compile programs as users do; the suite then takes twice as long",
  )
  parser.addoption(
    "--plugins",
    dest="own_plugins",
    action="append",
    default=[],
    help="a directory of one's own objectives, ..., to be tested, too",
  )
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
  """Configurations of tiny runs (tests/helpers/tiny.py)."""
  from tiny import Tiny

  return Tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def cache(tiny):
  """The cache of a whole module, without a flag, is that of tiny runs."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv("LM_JAX_CACHE", str(tiny.cache))
    yield tiny.cache


@pytest.fixture(scope="session")
def finished(tiny, tmp_path_factory):
  """A run of clm that is done, not to be changed: its configuration."""
  from lm_jax.runs import run

  config = tiny.config(tmp_path_factory.mktemp("finished"))
  assert run.Run(config).execute(progress=False)["status"] == "done"
  return config


@pytest.fixture
def warned(monkeypatch):
  """The lines that absl has warned by."""
  from absl import logging

  lines = []
  monkeypatch.setattr(
    logging, "warning", lambda text, *values: lines.append(text % values)
  )
  return lines
