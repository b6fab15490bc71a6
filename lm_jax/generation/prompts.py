"""Turns texts or ids into what a generative model reads first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from lm_jax import layout
from lm_jax.hugging_face import pretrained
from lm_jax.loaded_model import VOCABULARY, Trained
from lm_jax.support.errors import UsageError
from lm_jax.types import ABSENT, ANSWER, PADDING, Problem, Rows, Spec

Truncate = Literal["", "left", "right"]

# Slots of a prompt: one program serves all prompts of up to so many tokens.
BUCKETS = (32, 256, 1024)


def bucket(length: int) -> int:
  """Returns the slots for a prompt of a length.

  >>> [bucket(n) for n in (1, 32, 33, 1000, 1025)]
  [32, 32, 256, 1024, 4096]
  """
  for size in BUCKETS:
    if length <= size:
      return size
  size = BUCKETS[-1]
  while size < length:
    size *= 4
  return size


def context(model: Trained) -> int:
  """Returns the most tokens that a model's decoder can read; 0: any number."""
  trunk = dict(model.network.trunks)["main"]
  if trunk.positions in ("relative", "alibi", "none"):
    return 0
  adaptation = model.network.adaptation
  return trunk.max_positions - (adaptation.ahead if adaptation else 0)


def require_generator(model: Trained) -> None:
  """Raises UsageError unless the model is generative."""
  if VOCABULARY not in model.outputs:
    raise UsageError(
      f"{model.name}: has no output over the vocabulary to generate from; it"
      f" has {model.outputs_shown}"
    )
  imported = bool(model.config.family)
  encoder = model.spec.architecture == "encoder"
  if encoder or not (imported or model.objective.continues):
    specials = model.spec.specials
    blanks = " fills blanks (--fill)" if specials.mask != ABSENT else ""
    raise UsageError(
      f"{model.name}: a model of {model.objective.name} reads both ways and"
      f" can't go on with a text; it{blanks or ' scores texts'}"
    )


def require_same_reading(model: Trained, draft: Trained) -> None:
  """Raises UsageError unless a draft reads the prompts that the model does."""
  require_generator(draft)
  draft_tokenizer, model_tokenizer = (
    m.tokenizer.fingerprint if m.tokenizer else "" for m in (draft, model)
  )
  if (
    draft_tokenizer != model_tokenizer
    or draft.spec.vocabulary != model.spec.vocabulary
  ):
    raise UsageError("--draft: has another tokenizer than --model")
  ways = [
    "as imported" if m.config.family else m.objective.name
    for m in (model, draft)
  ]
  ways = [
    f"{way}, {m.spec.architecture}"
    for way, m in zip(ways, (model, draft), strict=True)
  ]
  if ways[0] != ways[1]:
    raise UsageError(
      f"--draft: reads a prompt in another way ({ways[1]}) than --model"
      f" ({ways[0]})"
    )


def encode(
  model: Trained, texts: Sequence[str], room: int, truncate: Truncate
) -> list[list[int]]:
  """Encodes prompts, with special tokens around them.

  Args:
    model: with a tokenizer.
    texts: not empty.
    room: tokens that may be read; 0: any number.
    truncate: the side on which a longer text loses tokens; "" refuses it.

  Raises:
    UsageError: a text is empty or too long, or the model has no tokenizer.
  """
  tokenizer = model.require_tokenizer()
  specials = model.spec.specials
  paired = model.spec.architecture == "encoder_decoder"
  # Behind a text that is gone on with, nothing may tell that it has ended.
  after = specials.after if paired else ()
  rows = []
  for number, text in enumerate(texts):
    if not isinstance(text, str):
      raise UsageError(f"prompt {number}: must be text, not {text!r:.60}")
    try:
      text.encode()
    except UnicodeEncodeError as error:
      raise UsageError(f"prompt {number}: is not UTF-8: {error}") from None
    ids = tokenizer.encode(text)
    if not ids and not specials.before:
      raise UsageError(f"prompt {number}: is empty, and so is its start")
    least = len(specials.before) + len(after)
    if room and len(ids) + least > room:
      if not truncate:
        raise UsageError(
          f"prompt {number}: has {len(ids) + least} tokens, and the model's"
          f" context has room for {room}; --truncate=left keeps its end"
        )
      keep = max(room - least, 0)
      ids = ids[len(ids) - keep :] if truncate == "left" else ids[:keep]
    rows.append([*specials.before, *ids, *after])
  return rows


def lay_out(
  model: Trained,
  prompts: Sequence[Sequence[int]],
  decoder: Sequence[int] = (),
  slots: int = 0,
) -> Problem:
  """Lays prompts out at the right end of equally many slots.

  Args:
    model: generative.
    prompts: ids, special ones included.
    decoder: of an encoder_decoder that was imported, what its decoder has read
      already, the start token included; by default that token.
    slots: for the longest prompt at least; 0: a bucket's.
  """
  spec: Spec = model.spec
  paired = spec.architecture == "encoder_decoder"
  own = not model.config.family
  width = max(map(len, prompts))
  rows = _rows(prompts, slots or bucket(width), spec.specials.pad)
  if own and not decoder:
    return model.objective.prompt(rows, spec)
  if not paired:
    return Problem(layout.in_place(rows, spec), None, rows.tokens_BxL, {})
  source = layout.stream(rows.tokens_BxL, rows.segment_BxL, "full")
  starts = [list(decoder) or [spec.specials.start] for _ in prompts]
  if not decoder and pretrained.starts_with_last(model.config):
    starts = [[prompt[-1]] for prompt in prompts]
  read = _rows(starts, _small(len(starts[0])), spec.specials.pad)
  inputs = layout.stream(read.tokens_BxL, read.segment_BxL, "causal")
  return Problem(inputs, source, read.tokens_BxL, {})


def _small(length: int) -> int:
  """Returns the slots of a decoder's first tokens, which are few."""
  size = 4
  while size < length:
    size *= 4
  return size


def _rows(prompts: Sequence[Sequence[int]], size: int, pad: int) -> Rows:
  shape = (len(prompts), size)
  tokens = np.full(shape, pad, np.int32)
  real = np.zeros(shape, np.int32)
  for row, prompt in enumerate(prompts):
    tokens[row, size - len(prompt) :] = prompt
    real[row, size - len(prompt) :] = 1
  word = np.broadcast_to(np.arange(size, dtype=np.int32), shape)
  part = np.where(real > 0, ANSWER, PADDING).astype(np.int32)
  return Rows(tokens, real, word, np.zeros(shape, np.int32), part)
