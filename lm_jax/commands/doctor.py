"""What this machine has, and what a run would take on many chips."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
from collections.abc import Mapping

from lm_jax.support.errors import UsageError
from lm_jax.support.machine import REQUIRED, _version, describe, versions
from lm_jax.support.options import Option


def report(cache: str = "") -> tuple[str, list[str]]:
  """What there is, a line each, and which required packages are missing.

  Args:
    cache: what --data.cache names, "" for the default.
  """
  from lm_jax.support import cache as cache_lib

  directory = cache_lib.root(cache)
  missing = [name for name in REQUIRED if not _version(name)]
  lines = [f"{name}: {version}" for name, version in versions().items()]
  lines += [f"{name}: missing" for name in missing]
  if "jax" not in missing:
    lines.append(f"machine: {describe()}")
  lines.append(f"cache: {directory} ({_size(_used(directory))})")
  existing = next(
    path for path in (directory, *directory.parents) if path.exists()
  )
  for label, path in {"cache": existing, "here": pathlib.Path.cwd()}.items():
    free = shutil.disk_usage(path).free
    lines.append(f"disk ({label}): {_size(free)} free")
  return "\n".join(lines), missing


def flags() -> dict[str, Option]:
  """What a plan is made for, and of which run: the flags of `train`."""
  from lm_jax import config as config_lib
  from lm_jax.config import overrides
  from lm_jax.planning.chips import CHIPS
  from lm_jax.planning.plan import ROWS_A_CHIP

  own = {
    "plan": Option("plan", bool, False, "a run on many chips, on paper"),
    "chip": Option("chip", str, "tpu_v5p", f"one of {', '.join(CHIPS)}"),
    "chips": Option("chips", int, 256, "how many"),
  }
  known = config_lib.schema() | overrides.objective_flags()
  for name in ("name", "arm", "family", "workdir", "model"):
    del known[name]
  rows = known["batch_size"]
  help_line = f"{rows.help}; by default {ROWS_A_CHIP} for each chip"
  known["batch_size"] = dataclasses.replace(rows, default=None, help=help_line)
  return own | known


def wants_plan(given: Mapping[str, str]) -> bool:
  """Raises UsageError where flags of a plan are given without --plan."""
  wanted = given.get("plan", "false") == "true"
  if not wanted and set(given) - {"plan"}:
    name = min(set(given) - {"plan"})
    raise UsageError(f"--{name}: is for a plan; give --plan, too")
  return wanted


def plan(given: Mapping[str, str]) -> list[str]:
  """The lines of a plan.

  Raises:
    UsageError: an unknown chip, or a run that is impossible on so many.
  """
  from lm_jax import config as config_lib
  from lm_jax.config import overrides
  from lm_jax.planning import plan as plan_lib
  from lm_jax.planning.chips import CHIPS
  from lm_jax.support import registry

  name, count = given.get("chip", "tpu_v5p"), int(given.get("chips", 256))
  if name not in CHIPS:
    raise registry.unknown("--chip", name, CHIPS)
  if count < 1:
    raise UsageError(f"--chips={count}: must be at least 1")
  own = ("plan", "chip", "chips")
  rest = {path: text for path, text in given.items() if path not in own}
  config = overrides.override(config_lib.Config(), rest)
  if "batch_size" not in given:
    size = plan_lib.ROWS_A_CHIP * count * config.accumulate
    config = dataclasses.replace(config, batch_size=size)
  return plan_lib.report(plan_lib.make(config, count), name, CHIPS[name])


def _used(directory: pathlib.Path) -> int:
  files = (f for f in directory.rglob("*") if f.is_file())
  return sum(file.stat().st_size for file in files)


def _size(count: float) -> str:
  for unit in ("B", "KiB", "MiB"):
    if count < 1024:
      return f"{count:.0f} {unit}"
    count /= 1024
  return f"{count:.1f} GiB"
