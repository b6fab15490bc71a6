"""Tells versions, devices and disk; plans a run on many chips, on paper."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
from collections.abc import Mapping, Sequence

from lm_jax.planning.chips import CHIPS
from lm_jax.support import cache
from lm_jax.support.errors import UsageError
from lm_jax.support.machine import REQUIRED, describe, versions
from lm_jax.support.options import Option, names_given, option, texts_of_others


def report() -> tuple[str, list[str]]:
  """Describes the machine, a line each, and names missing packages."""
  directory = cache.root()
  installed = versions()
  missing = [name for name in REQUIRED if name not in installed]
  lines = [f"{name}: {version}" for name, version in installed.items()]
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


@dataclasses.dataclass(frozen=True)
class Flags:
  """Flags of the doctor, and of a plan for many chips."""

  plan: bool = option(False, "plan a run on many chips, on paper")
  chip: str = option("tpu_v5p", f"one of {', '.join(CHIPS)}")
  chips: int = option(256, "number of chips", least=1)
  settings: Mapping[str, Sequence[str]] = texts_of_others()
  given: frozenset[str] = names_given()


def settings() -> dict[str, Option]:
  """Returns the flags of `train` that a planned run may have."""
  from lm_jax import config as config_lib
  from lm_jax.config import overrides
  from lm_jax.planning.plan import ROWS_A_CHIP

  known = config_lib.schema() | overrides.objective_flags()
  for name in ("name", "arm", "family", "workdir", "model"):
    del known[name]
  rows = known["batch_size"]
  help_line = f"{rows.help}; by default {ROWS_A_CHIP} for each chip"
  known["batch_size"] = dataclasses.replace(rows, default=None, help=help_line)
  return known


def main(flags: Flags) -> int:
  """Prints what there is, or a plan; 1 if a required package is missing."""
  if flags.plan:
    print("\n".join(plan(flags)))
    return 0
  if rest := flags.given - {"plan"}:
    raise UsageError(f"--{min(rest)}: is for a plan; give --plan, too")
  text, missing = report()
  print(text)
  return 1 if missing else 0


def plan(flags: Flags) -> list[str]:
  """Returns the lines of a plan.

  Raises:
    UsageError: an unknown chip, or a run that is impossible.
  """
  from lm_jax import config as config_lib
  from lm_jax.config import overrides
  from lm_jax.planning import plan as plan_lib
  from lm_jax.support import registry

  name, count = flags.chip, flags.chips
  if name not in CHIPS:
    raise registry.unknown("--chip", name, CHIPS)
  texts = {path: given[-1] for path, given in flags.settings.items()}
  config = overrides.override(config_lib.Config(), texts)
  if "batch_size" not in texts:
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
