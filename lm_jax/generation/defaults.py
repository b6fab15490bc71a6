"""How a model generates unless it is told otherwise, as its files say."""

from __future__ import annotations

import pathlib
from typing import Any

from lm_jax import links, strict_json
from lm_jax.errors import UsageError
from lm_jax.generation import options as options_lib
from lm_jax.hugging_face import origin

# Of the call, not of the model.
_NOT_ADOPTED = frozenset({"seed", "draft_tokens", "num_return_sequences"})


def of(directory: str | pathlib.Path) -> dict[str, Any]:
  """Options by name: those of generation_config.json that we have.

  Transformers generates by them, too. Where there is no such file, older
  checkpoints have them in config.json. Its min_length counts the prompt of a
  decoder, which is not known here, and is left out there.

  Args:
    directory: of a run, or of theirs; may have none of these files.

  Raises:
    UsageError: an option has a value that it can't have.
  """
  folder = origin.folder(directory)
  names = (origin.GENERATION[0], "config.json")
  path = next((p for p in map(folder.joinpath, names) if p.is_file()), None)
  if path is None:
    return {}
  values = strict_json.read(links.inside(path))
  if not isinstance(values, dict):
    raise UsageError(f"{path}: must hold a JSON object")
  known = options_lib.schema()
  found = {
    name: value
    for name, value in values.items()
    if name in known and name not in _NOT_ADOPTED and value is not None
  }
  # -1 is for none among theirs, too; a decoder's start is among the new tokens.
  least = values.get("min_length")
  if (
    isinstance(least, int) and values.get("decoder_start_token_id") is not None
  ):
    found.setdefault("min_new_tokens", max(least - 1, 0))
  return options_lib.from_values(found, str(path))
