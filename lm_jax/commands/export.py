"""The command `export`: a model becomes a Hugging Face directory."""

from __future__ import annotations

from lm_jax.hugging_face.export import _check, save
from lm_jax.inference import load
from lm_jax.support.errors import UsageError


def run(
  model: str,
  to: str,
  family: str = "",
  dtype: str = "",
  adapter: bool = False,
) -> list[str]:
  """The command `export`; see `save`.

  Args:
    model: a run directory or a Hugging Face directory.
    to, family, dtype: of `save`.
    adapter: write what was trained of an adapted model, for PEFT.
  """
  _check(to, family, dtype)
  if adapter and dtype:
    raise UsageError(f"--dtype={dtype}: --adapter writes float32")
  loaded = load.load(model)
  if adapter:
    from lm_jax.hugging_face import peft

    return peft.save(loaded, to, family, f"--model={model}")
  return save(loaded, to, family, dtype)
