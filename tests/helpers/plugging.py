"""Directories of one's own files, which are forgotten after a test."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator

from lm_jax.support import plugins, registry


@contextlib.contextmanager
def forgotten() -> Iterator[None]:
  """Forgets at the end which directories were added, and their modules."""
  packages = {name: importlib.import_module(name) for name in _packages()}
  paths = {name: [*package.__path__] for name, package in packages.items()}
  added = dict(plugins._added)
  before = {*sys.modules}
  try:
    yield
  finally:
    for name, package in packages.items():
      package.__path__[:] = paths[name]
    for name in {*sys.modules} - before:
      if plugins.owner(getattr(sys.modules[name], "__file__", None)):
        package, _, last = name.rpartition(".")
        del sys.modules[name]
        vars(packages[package]).pop(last, None)
        registry._FOUND.pop((package, last), None)
    plugins._added.clear()
    plugins._added.update(added)
    importlib.invalidate_caches()
    if "lm_jax.hugging_face.read" in sys.modules:
      sys.modules["lm_jax.hugging_face.read"].families.cache_clear()


def _packages() -> list[str]:
  return [*plugins.PACKAGES.values()]
