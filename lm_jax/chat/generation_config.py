"""What a model's generation_config.json says of its answers."""

from __future__ import annotations

import json
from typing import Any

from lm_jax import strict_json
from lm_jax.errors import UsageError
from lm_jax.generation import options as options_lib
from lm_jax.hugging_face import origin

# What is taken over. A max_length would count the conversation.
_ADOPTED = (
  *("do_sample", "temperature", "top_k", "top_p", "min_p", "typical_p"),
  *("repetition_penalty", "no_repeat_ngram_size"),
)


class GenerationConfig:
  """The file of a model, which may have none.

  Args:
    directory: of the model.

  Raises:
    UsageError: what it can't mean; by the methods, too.
  """

  def __init__(self, directory: str):
    path = origin.folder(directory) / origin.GENERATION[0]
    found = strict_json.read(path) if path.is_file() else {}
    if not isinstance(found, dict):
      raise UsageError(f"{path}: must hold a JSON object")
    self._where, self._values = str(path), found

  def ends(self) -> list[int]:
    """The ids that end a text."""
    found = self._values.get("eos_token_id")
    found = [] if found is None else found
    found = found if isinstance(found, list) else [found]
    if not all(type(i) is int and i >= 0 for i in found):
      shown = json.dumps(found)
      raise UsageError(f"{self._where}: eos_token_id={shown}: must be ids")
    return found

  def options(self) -> dict[str, Any]:
    """Options of lm_jax.generation.options by name."""
    known = options_lib.schema()
    return {
      name: known[name].check(self._values[name], self._where)
      for name in _ADOPTED
      if self._values.get(name) is not None
    }
