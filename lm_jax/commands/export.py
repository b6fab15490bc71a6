"""Writes a model as a Hugging Face directory."""

from __future__ import annotations

import dataclasses

from lm_jax.config import phases
from lm_jax.support.errors import UsageError
from lm_jax.support.options import option


@dataclasses.dataclass(frozen=True)
class Flags:
  """The model that is written, the place and the form."""

  model: str = option("", "a run directory", needed="a run directory")
  to: str = option(
    "",
    "the Hugging Face directory to make",
    needed="a directory that is new or empty",
  )
  family: str = option(
    "", "one of `list families`; by default that of the objective"
  )
  dtype: str = option(
    "",
    "float32, float16 or bfloat16; by default float32, or what an imported"
    " model had",
  )
  adapter: bool = option(
    False,
    "write only what was trained of an adapted model, as PEFT reads it,"
    " instead of the merged model",
  )
  as_: str = option("", phases.AS)


def main(flags: Flags) -> int:
  """Exports a model and prints the directories; returns the exit code."""
  from lm_jax.hugging_face import export
  from lm_jax.inference import load

  export.check(flags.to, flags.family, flags.dtype)
  if flags.adapter and flags.dtype:
    raise UsageError(f"--dtype={flags.dtype}: --adapter writes float32")
  model = load.load(flags.model, objective=flags.as_)
  if flags.adapter:
    from lm_jax.hugging_face import peft

    made = peft.save(model, flags.to, flags.family, f"--model={flags.model}")
  else:
    made = export.save(model, flags.to, flags.family, flags.dtype)
  for directory in made:
    print(directory)
  return 0
