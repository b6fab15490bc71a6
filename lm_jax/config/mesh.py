"""--mesh: the devices of a run by axis."""

from __future__ import annotations

import jax

from lm_jax.support.errors import UsageError
from lm_jax.types import MESH_AXES


def check(text: str, rows: int, devices: int = 0) -> dict[str, int]:
  """The devices by axis that "data=4,tensor=2" asks for; {} for "".

  Args:
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
