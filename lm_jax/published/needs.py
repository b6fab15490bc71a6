"""Says what a claim needs, and whether it is here: data, time, a device."""

from __future__ import annotations

import pathlib

from lm_jax.published.claim import Claim, Order, Scale, Scored
from lm_jax.published.files import File


def time(scale: Scale) -> str:
  """Says how long a run of every arm takes."""
  minutes = 60 * scale.hours
  if minutes < 1:
    return f"{60 * minutes:.0f} s a seed on {scale.hardware}"
  if minutes < 90:
    return f"{minutes:.0f} min a seed on {scale.hardware}"
  return f"{scale.hours:,.0f} hours a seed on {scale.hardware}"


def names(claim: Claim, scale: Scale) -> list[str]:
  """Returns the files and directories that a claim needs of --data."""
  listed = [scale.corpus] if scale.corpus else []
  for part in claim.parts:
    if isinstance(part, Scored):
      listed += [part.model, part.file]
  return listed


def find(data: str, name: str) -> str:
  """Returns the path of a file or directory in --data; "" if it has none.

  It may be gzipped, and lie in a folder of the directory.
  """
  if not data:
    return ""
  root = pathlib.Path(data)
  for pattern in (name, f"{name}.gz", f"*/{name}", f"*/{name}.gz"):
    paths = sorted(root.glob(pattern))
    if paths:
      return str(paths[0])
  return ""


def unmet(file: File, scale: Scale, data: str, hours: float) -> str:
  """Says why a claim is not run here; "" if it can be.

  Args:
    file: of the claim.
    scale: at which it is asked for.
    data: the directory of --data; "" for none.
    hours: what a run of every arm may take.
  """
  claim = file.claim
  if scale.impossible:
    return scale.impossible
  absent = [n for n in names(claim, scale) if not find(data, n)]
  if absent:
    where = "--data has none" if data else "no --data=DIR"
    return f"needs {' and '.join(absent)}: {where}"
  if scale.device:
    import jax

    devices = {device.platform for device in jax.devices()}
    if scale.device not in devices:
      return f"needs a {scale.device}, and there is {', '.join(devices)}"
  if scale.hours > hours:
    return (
      f"takes {time(scale)}, above --hours={hours:g}; the data: {claim.data}"
    )
  if not file.has_arms and any(isinstance(p, Order) for p in claim.parts):
    return "its file has no runs()"
  return ""
