"""Makes a run directory of a Hugging Face directory."""

from __future__ import annotations

import dataclasses
import pathlib

from lm_jax.support.options import option


@dataclasses.dataclass(frozen=True)
class Cache:
  """The cache of prepared data."""

  cache: str = option("", "directory of prepared data")


@dataclasses.dataclass(frozen=True)
class Flags:
  """The model that is imported, and the run directory."""

  model: str = option(
    "", "a Hugging Face directory", needed="a Hugging Face directory"
  )
  workdir: str = option(
    "", "the run directory to make; under runs/ unless given"
  )
  mask: str = option(
    "",
    "the token of its vocabulary that stands for hidden ones, where it has no"
    " mask token: _ of LLaMA, so that masked objectives can go on with it",
  )
  mesh: str = option("", "devices by axis, data=4,fsdp=2")
  data: Cache = option(Cache, "")


def main(flags: Flags) -> int:
  """Imports a model; returns the exit code."""
  from lm_jax.hugging_face import importing

  name = pathlib.Path(flags.model).resolve().name
  workdir = flags.workdir or f"runs/{name}"
  result, reused = importing.run(
    flags.model, workdir, flags.mesh, flags.data.cache, flags.mask
  )
  print(
    f"{workdir}: {'was there: ' if reused else ''}{result['class']},"
    f" {result['parameters']:,} parameters, goes on by"
    f" --objective={result['objective']}"
  )
  return 0
