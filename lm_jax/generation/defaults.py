"""Default generation options of a model, from its files."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Mapping
from typing import Any

from absl import logging

from lm_jax.generation import options as options_lib
from lm_jax.generation import read_options
from lm_jax.generation.options import Generation
from lm_jax.hugging_face import source_files
from lm_jax.support import links, strict_json
from lm_jax.support.errors import UsageError, short

# Of the call, not of the model.
_NOT_ADOPTED = frozenset({"seed", "draft_tokens", "num_return_sequences"})
# What tells how a token is drawn, and nothing where none is.
_SAMPLING = frozenset(
  {"temperature", "top_k", "top_p", "min_p", "typical_p"}
  | {"epsilon_cutoff", "eta_cutoff"}
)
# Fields by which Transformers generates other tokens and we do not, with what
# means that there is nothing to follow, besides null.
_UNFOLLOWED: Mapping[str, Any] = {
  "guidance_scale": 1,
  "encoder_repetition_penalty": 1,
  "encoder_no_repeat_ngram_size": 0,
  "top_h": None,
  "token_healing": False,
  "watermarking_config": None,
  "constraints": None,
  "force_words_ids": None,
  "dola_layers": None,
  "max_time": None,
  "prompt_lookup_num_tokens": None,
  "num_return_sequences": 1,
}


def file_of(directory: str | pathlib.Path) -> pathlib.Path | None:
  """Finds the file of the options, as Transformers does; None without one.

  generation_config.json alone where it is there; older checkpoints have all in
  config.json.
  """
  folder = source_files.folder(directory)
  names = (source_files.GENERATION[0], "config.json")
  return next((p for p in map(folder.joinpath, names) if p.is_file()), None)


def from_directory(directory: str | pathlib.Path) -> dict[str, Any]:
  """Reads the options of generation_config.json that lm_jax has.

  Transformers generates by them, too. Options that only Transformers follows
  are named in a warning, once; so is a value that has no effect there.

  Args:
    directory: of a run or of Hugging Face; may have none of these files.

  Raises:
    UsageError: an option has a value that it can't have.
  """
  path = file_of(directory)
  if path is None:
    return {}
  values = strict_json.read(links.inside(path))
  if not isinstance(values, dict):
    raise UsageError(f"{path}: must hold a JSON object")
  known = options_lib.schema()
  given = {
    name: value
    for name, value in values.items()
    if name in known and name not in _NOT_ADOPTED and value is not None
  }
  if path.name == source_files.GENERATION[0]:
    # Transformers lets a decoder begin with bos_token_id where nothing else is
    # said, whatever config.json says.
    start = values.get("decoder_start_token_id", values.get("bos_token_id"))
    if _is_paired(path.parent) and start is not None:
      given["decoder_start_token_id"] = start
  else:
    given.pop("decoder_start_token_id", None)  # the family reads it there
  defaults = read_options.from_values(given, str(path))
  _require_valid(defaults, path, values)
  _say_unfollowed(str(path), _unfollowed(values))
  return defaults


def _is_paired(folder: pathlib.Path) -> bool:
  config = folder / "config.json"
  if not config.is_file():
    return False
  values = strict_json.read(links.inside(config))
  if not isinstance(values, dict):
    return False
  kind = values.get("model_type")
  # Their classes say so where the file doesn't.
  paired = kind in ("t5", "mt5", "bart", "mbart", "m2m_100")
  return bool(values.get("is_encoder_decoder", paired))


def _require_valid(
  found: dict[str, Any], path: pathlib.Path, values: Mapping[str, Any]
) -> None:
  """Raises UsageError by the file's name; drops what does not apply.

  A value that only sampling reads may be anything in a file that does not
  sample, as Transformers takes it.
  """
  usual: dict[str, Any] = {"max_new_tokens": 2**20}  # The call says how many.
  if not values.get("do_sample"):
    for name in sorted(_SAMPLING & found.keys()):
      try:
        Generation(**usual, **{name: found[name]}).check(f"{path}: ")
      except UsageError:
        del found[name]
        _say(f"{path}: {name}={values[name]} does not apply without do_sample")
  Generation(**{**usual, **found}).check(f"{path}: ")


def _unfollowed(values: Mapping[str, Any]) -> tuple[str, ...]:
  return tuple(
    f"{name}={short(values[name])}"
    for name, neutral in _UNFOLLOWED.items()
    if values.get(name) is not None and values[name] != neutral
  )


def _say_unfollowed(path: str, fields: tuple[str, ...]) -> None:
  if fields:
    _say(
      f"{path}: not followed: {', '.join(fields)}; Transformers would generate"
      " by them"
    )


@functools.cache
def _say(line: str) -> None:
  """Logs a warning, once a process."""
  logging.warning("%s", line)
