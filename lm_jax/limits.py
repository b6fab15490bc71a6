"""What no run can be, whatever its objective: checked before compilation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax

from lm_jax.errors import UsageError
from lm_jax.types import MESH_AXES

if TYPE_CHECKING:
  from lm_jax.config import Config


def check_numbers(config: Config) -> None:
  """Raises UsageError if a number is out of range."""
  for name, least in {
    "length": 16,
    "batch_size": 1,
    "accumulate": 1,
    "seed": 0,
    "log_every": 1,
    "checkpoint_every": 0,
    "keep_last": 1,
    "keep_every": 0,
    "eval_every": 0,
    "skip_limit": 1,
    "train_examples": 0,
    "patience": 0,
  }.items():
    value = getattr(config, name)
    if value < least:
      raise UsageError(f"--{name}={value}: must be at least {least}")
  if config.patience and config.eval != "all":
    raise UsageError(
      f"--patience={config.patience}: needs what is measured on the way, which"
      f" --eval={config.eval} leaves out"
    )
  if config.batch_size % config.accumulate:
    raise UsageError(
      f"--accumulate={config.accumulate}: must divide"
      f" --batch_size={config.batch_size}"
    )


def check_mesh(text: str, rows: int, devices: int = 0) -> dict[str, int]:
  """The devices by axis that "data=4,tensor=2" asks for; {} for "".

  Args:
    text: of --mesh.
    rows: computed at a time, which data and fsdp share among them.
    devices: that there would be; 0: as many as there are.

  Raises:
    UsageError: an unknown axis, another number of devices than there are, rows
      that don't divide.
  """
  flag = f"--mesh={text}"
  mesh: dict[str, int] = {}
  for part in filter(None, text.split(",")):
    axis, _, number = part.partition("=")
    if axis not in MESH_AXES or axis in mesh or not number.isdecimal():
      raise UsageError(
        f"{flag}: {part!r} is not one of {', '.join(MESH_AXES)} with a number"
        " of devices, each once: data=4,tensor=2"
      )
    mesh[axis] = int(number)
  if 0 in mesh.values():
    raise UsageError(f"{flag}: an axis has at least one device")
  # Where data is not named it gets the devices that are left.
  devices = devices or jax.device_count()
  others = mesh.get("fsdp", 1) * mesh.get("tensor", 1)
  data = mesh.get("data", max(1, devices // others))
  if data * others != devices:
    raise UsageError(
      f"{flag}: takes {data * others} devices, there are {devices}"
    )
  shards = data * mesh.get("fsdp", 1)
  if rows % shards:
    raise UsageError(
      f"{flag}: data and fsdp are {shards} devices, which must divide the"
      f" {rows} rows of --batch_size / --accumulate"
    )
  return mesh
