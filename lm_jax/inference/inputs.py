"""Inputs of a model, from texts or ids as Transformers users give them.

Ids that are traced (inside jit or grad) have shapes and no values: these are
taken on trust.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lm_jax import layout
from lm_jax.support.errors import UsageError, short
from lm_jax.types import ANSWER, PADDING, Array, Mask, Rows, Spec, Stream, Trunk

_ANY = 2**31 - 1


def are_texts(value: Any) -> bool:
  """Tells texts (a text alone counts) from ids."""
  return isinstance(value, str) or (
    isinstance(value, Sequence) and all(isinstance(x, str) for x in value)
  )


def texts(value: str | Iterable[str], name: str = "texts") -> list[str]:
  """A list of texts; a text alone is a list of one.

  Args:
    value: texts, of any iterable: a list, an array, a column of a table.
    name: of them in messages.

  Raises:
    UsageError: one of them is no text.
  """
  if isinstance(value, str):
    return [value]
  if not isinstance(value, Iterable):
    raise UsageError(f"{name}={short(value)}: must be a text or a list of them")
  encoded = list(value)
  for number, text in enumerate(encoded):
    if not isinstance(text, str):
      raise UsageError(f"{name}[{number}]={short(text)}: must be a text")
  return [str(text) for text in encoded]  # numpy's are texts, too


def text(value: str, name: str = "text") -> str:
  """One text, or UsageError."""
  if not isinstance(value, str):
    raise UsageError(f"{name}={short(value)}: must be one text")
  return value


def streams(
  trunk: Trunk,
  spec: Spec,
  input_ids: Array,
  attention_mask: Array | None = None,
  token_type_ids: Array | None = None,
  decoder_input_ids: Array | None = None,
  position_ids: Array | None = None,
  shifted: bool = False,
  starts_with_last: bool = False,
  whole: bool = False,
) -> tuple[Stream, Stream | None]:
  """Checks and returns what the main stack reads: inputs and source.

  Args:
    trunk, spec: of the model.
    input_ids, attention_mask, token_type_ids, decoder_input_ids,
      position_ids: of `lm_jax.language_model.LanguageModel.logits`.
    shifted: the decoder reads input_ids behind its start token if nothing
      else is given,
    starts_with_last: or behind the last token of each text.
    whole: a prefix_decoder sees all of it both ways.

  Raises:
    UsageError: an argument that the model lacks or needs, or ids that it has
      not.
  """
  paired = spec.architecture == "encoder_decoder"
  read = rows(trunk, input_ids, attention_mask)
  if paired and shifted and decoder_input_ids is None:
    decoder_input_ids = _behind_start(read, spec, starts_with_last)
  if paired != (decoder_input_ids is not None):
    raise UsageError(
      f"decoder_input_ids: {'needed by' if paired else 'not for'} a model "
      f"with the architecture {spec.architecture}"
    )
  shape = read.tokens_BxL.shape
  types = positions = None
  if token_type_ids is not None:
    types = _types(trunk, token_type_ids, shape)
  if position_ids is not None:
    if paired:
      raise UsageError("position_ids: not for an encoder_decoder")
    positions = _positions(trunk, position_ids, shape)
  both_ways = spec.architecture in ("encoder", "encoder_decoder")
  both_ways = both_ways or (whole and spec.architecture == "prefix_decoder")
  inputs = _stream(read, "full" if both_ways else "causal", types, positions)
  if decoder_input_ids is None:
    return inputs, None
  answer = rows(trunk, decoder_input_ids, name="decoder_input_ids")
  if len(answer.tokens_BxL) != len(read.tokens_BxL):
    raise UsageError(
      f"decoder_input_ids: has {len(answer.tokens_BxL)} rows, and input_ids "
      f"{len(read.tokens_BxL)}"
    )
  return _stream(answer, "causal"), inputs


def rows(
  trunk: Trunk,
  ids: Array,
  attention_mask: Array | None = None,
  name: str = "input_ids",
) -> Rows:
  """Ids as rows, one text each.

  Args:
    trunk: with the number of ids that there are.
    ids: integers [B, T].
    attention_mask: [B, T], 0 or False on padding, on either side.
    name: of the ids in messages.

  Raises:
    UsageError: no such array, or padding inside a text.
  """
  tokens_BxT = _ids(ids, name, trunk.vocabulary)
  real_BxT = np.ones(tokens_BxT.shape, np.int32)
  if attention_mask is not None:
    real_BxT = _real(attention_mask, tokens_BxT.shape)
  word_BxT = np.broadcast_to(
    np.arange(tokens_BxT.shape[1], dtype=np.int32), tokens_BxT.shape
  )
  where = jnp.where if _traced(real_BxT) else np.where
  part_BxT = where(real_BxT > 0, ANSWER, PADDING).astype(np.int32)
  none_BxT = np.zeros(tokens_BxT.shape, np.int32)
  return Rows(tokens_BxT, real_BxT, word_BxT, none_BxT, part_BxT)


def _real(attention_mask: Array, shape: tuple[int, ...]) -> Array:
  """Attention mask: int32 [B, T], 1 where a token is no padding."""
  if _traced(attention_mask):
    real_BxT = jnp.asarray(attention_mask != 0, jnp.int32)
    return _ids(real_BxT, "attention_mask", 2, shape)
  mask_BxT = np.asarray(attention_mask)
  if mask_BxT.dtype != bool and np.isin(mask_BxT, (0, 1)).all():
    mask_BxT = mask_BxT.astype(bool)  # 0.0 and 1.0, too
  if mask_BxT.dtype == bool:
    mask_BxT = mask_BxT.astype(np.int32)
  real_BxT = _ids(mask_BxT, "attention_mask", 2, shape)
  # In NumPy: inside jit jax would trace it, though it is known.
  begins_BxT = np.diff(real_BxT, axis=1, prepend=0) > 0
  if begins_BxT.sum(axis=1).max(initial=0) > 1:
    raise UsageError("attention_mask: has padding inside a text")
  return real_BxT


def _traced(array: Any) -> bool:
  return isinstance(array, jax.core.Tracer)


def _behind_start(read: Rows, spec: Spec, starts_with_last: bool) -> Array:
  """The text as a decoder reads it: [B, T], behind what it begins with."""
  tokens_BxT, real_BxT = read.tokens_BxL, read.part_BxL != PADDING
  specials = spec.specials
  if specials.before[:1] == (specials.start,) and not starts_with_last:
    return tokens_BxT  # Texts in training begin with it.
  xp = jnp if _traced(tokens_BxT) or _traced(real_BxT) else np
  first_Bx1 = xp.full_like(tokens_BxT[:, :1], specials.start)
  if starts_with_last:
    last_B = real_BxT.shape[1] - 1 - xp.argmax(real_BxT[:, ::-1], axis=1)
    first_Bx1 = xp.take_along_axis(tokens_BxT, last_B[:, None], axis=1)
  return xp.concatenate([first_Bx1, tokens_BxT[:, :-1]], axis=1)


def require_token(stream: Stream, token: int, output: str) -> None:
  """Raises UsageError unless the token is in every row, for a head."""
  if _traced(stream.tokens_BxT) or _traced(stream.segment_BxT):
    return
  found_BxT = (stream.tokens_BxT == token) & (stream.segment_BxT > 0)
  if not found_BxT.any(axis=1).all():
    raise UsageError(
      f"input_ids: {output} is read at the token that ends a text, {token}, "
      f"and row {int(found_BxT.any(axis=1).argmin())} has none"
    )


def _types(
  trunk: Trunk, token_type_ids: Array, shape: tuple[int, ...]
) -> Array:
  kinds = trunk.token_types
  if trunk.types_are_tokens:
    kinds = trunk.vocabulary
  if trunk.positions == "xlnet":
    kinds = _ANY  # Only whether two are equal matters.
  if not kinds:
    raise UsageError("token_type_ids: the model has no token types")
  return _ids(token_type_ids, "token_type_ids", kinds, shape)


def _positions(
  trunk: Trunk, position_ids: Array, shape: tuple[int, ...]
) -> Array:
  if trunk.positions not in ("learned", "rotary", "sinusoidal"):
    raise UsageError(
      f"position_ids: not for a model whose positions are {trunk.positions}"
    )
  if trunk.positions != "learned":
    return _ids(position_ids, "position_ids", _ANY, shape)
  # Rows of the table; RoBERTa's first position is the one behind its padding.
  offset = trunk.position_offset
  limit = offset + trunk.max_positions
  return _ids(position_ids, "position_ids", limit, shape) - np.int32(offset)


def _ids(
  values: Array, name: str, count: int, shape: tuple[int, ...] = ()
) -> Array:
  """Integers below `count`, int32, of the shape of the ids if that is told."""
  array = values if _traced(values) else np.asarray(values)
  if array.ndim != 2 or not np.issubdtype(array.dtype, np.integer):
    raise UsageError(
      f"{name}: must be integers [batch, length], not {array.dtype} of the "
      f"shape {array.shape}"
    )
  if not array.size:
    raise UsageError(f"{name}: is empty, of the shape {array.shape}")
  if shape and array.shape != shape:
    raise UsageError(
      f"{name}: has the shape {array.shape}, and the ids {shape}"
    )
  if not _traced(array) and not 0 <= array.min() <= array.max() < count:
    raise UsageError(
      f"{name}: must lie between 0 and {count - 1}, not between "
      f"{array.min()} and {array.max()}"
    )
  return array.astype(np.int32)


def _stream(
  read: Rows,
  mask: Mask,
  type_BxT: Array | None = None,
  position_BxT: Array | None = None,
) -> Stream:
  return layout.stream(
    read.tokens_BxL,
    read.segment_BxL,
    mask,
    position_BxT=position_BxT,
    type_BxT=type_BxT,
  )
