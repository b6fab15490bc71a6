"""Classes of Transformers with configurations, and what they are to read.

PyTorch is not needed: parameters are drawn here, each a function of its name.
"""

from __future__ import annotations

import dataclasses
import re
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

# Small configurations, without the numbers of tokens and positions.
BERT = {
  "hidden_size": 32,
  "num_hidden_layers": 2,
  "num_attention_heads": 2,
  "intermediate_size": 48,
}
GPT = {"n_embd": 32, "n_layer": 2, "n_head": 2}
NEO = {"hidden_size": 32, "num_layers": 2, "num_heads": 2, "window_size": 5}
BART = {
  "d_model": 32,
  "encoder_layers": 2,
  "encoder_attention_heads": 2,
  "encoder_ffn_dim": 48,
  "decoder_layers": 2,
  "decoder_attention_heads": 2,
  "decoder_ffn_dim": 48,
}
T5 = {"d_model": 32, "d_kv": 16, "d_ff": 48, "num_layers": 2, "num_heads": 2}
DISTILBERT = {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 48}
XLNET = {"d_model": 32, "n_layer": 2, "n_head": 2, "d_inner": 48}

# What make_golden.py keeps of a case, and of its configuration.
INPUTS = ("length", "types", "left", "output", "shifted")
SPECIALS = (
  "vocab_size",
  "pad_token_id",
  "bos_token_id",
  "eos_token_id",
  "decoder_start_token_id",
  "is_encoder_decoder",
)
NUMBERS = 40  # of each case


def chosen(logits: np.ndarray, valid: np.ndarray) -> np.ndarray:
  """Some of the logits that have a meaning, from all over the array."""
  if logits.ndim < valid.ndim:
    valid = valid[..., 0]
  flat = logits[np.broadcast_to(valid > 0, logits.shape)]
  return flat[np.linspace(0, len(flat) - 1, NUMBERS).astype(int)]


@dataclasses.dataclass(frozen=True)
class Case:
  """A class of Transformers, its configuration, and what it is to read.

  types: number of token types to be told; 0 tells none.
  length: of the longest row; by default that of `positions` in the config.
  left: padding stands in front.
  output: the name of what is compared ("pair"); by default the class's first.
  shifted: no ids are told for the decoder: it reads those of the encoder,
    shifted by one.
  untied: a module whose weight is one of its own, whatever the configuration
    says of ties (a file of T5 1.1 has both).
  """

  architecture: str
  config: dict[str, Any]
  length: int
  types: int = 0
  left: bool = False
  name: str = ""
  output: str = ""
  shifted: bool = False
  untied: str = ""

  def __str__(self) -> str:
    return (
      f"{self.architecture}-{self.name}" if self.name else self.architecture
    )


def draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
  """A parameter's values: a function of its name, the same everywhere.

  Such that activations and logits are of order 1, and nothing is trivial.
  """
  bits = np.random.PCG64(zlib.crc32(name.encode()))
  count = int(np.prod(shape))
  uniform = (bits.random_raw(2 * count) >> 11).reshape(2, count) * 2.0**-53
  radius = np.sqrt(-2 * np.log1p(-uniform[0]))  # Box and Muller 1958
  noise = (radius * np.cos(2 * np.pi * uniform[1])).reshape(shape)
  if len(shape) >= 2:
    return (noise * shape[-1] ** -0.5).astype(np.float32)
  parts = name.lower().split(".")
  is_norm = any("norm" in p or p.startswith("ln_") for p in parts[-2:])
  middle = 1.0 if is_norm and parts[-1] == "weight" else 0.0
  return (middle + 0.2 * noise).astype(np.float32)


def draw_all(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
  """All parameters of a model of theirs; of two equal tables, both."""
  found = {}
  for name, shape in shapes.items():
    # Untied, BART's stacks have tables of their own, and ours have one.
    source = re.sub(r"(en|de)coder\.embed_tokens\.", "shared.", name)
    found[name] = draw(source, shape)
  return found


@dataclasses.dataclass
class Inputs:
  """What both read: int64 arrays [B, T]; the decoder's may be None.

  output: what is compared; "" for the first that the class gives.
  shifted: the decoder's are not told to the class, which makes the same.
  """

  ids: np.ndarray
  mask: np.ndarray
  types: np.ndarray | None = None
  decoder: np.ndarray | None = None
  output: str = ""
  shifted: bool = False


def make_inputs(case: Case, config: Any, seed: int = 0) -> Inputs:
  """A full row, one with padding, and a short one."""
  rng = np.random.default_rng(seed)
  length, pad = case.length, config.pad_token_id
  mask = np.ones((3, length), np.int64)
  mask[1, length - length // 3 :] = 0
  mask[2, 3:] = 0
  # No special token inside: RoBERTa tells positions by the padding's id.
  least = 1 + max(
    i
    for i in (
      pad,
      getattr(config, "bos_token_id", None),
      config.eos_token_id,
      getattr(config, "decoder_start_token_id", None),
      2,
    )
    if isinstance(i, int) and i < config.vocab_size // 2
  )
  ids = rng.integers(least, config.vocab_size, mask.shape)
  if isinstance(pad, int):
    ids = np.where(mask > 0, ids, pad)
  types = None
  if case.types:
    types = rng.integers(0, case.types, mask.shape)
  if case.left:
    order = np.argsort(mask, axis=1, kind="stable")
    ids, mask = (np.take_along_axis(x, order, 1) for x in (ids, mask))
  decoder = None
  if getattr(config, "is_encoder_decoder", False):
    last = length - 1 - mask[:, ::-1].argmax(1)
    ids[np.arange(3), last] = config.eos_token_id
    start = getattr(config, "decoder_start_token_id", None)
    if start is None:  # mBART starts from the text's last token
      start = config.eos_token_id
    decoder = rng.integers(least, config.vocab_size, (3, length - 1))
    if case.shifted:
      decoder = np.roll(ids, 1, axis=1)
    decoder[:, 0] = start
  return Inputs(ids, mask, types, decoder, case.output, case.shifted)


def valid(inputs: Inputs, shape: tuple[int, ...], paired: bool) -> np.ndarray:
  """Where logits of a shape have a meaning: [B, T, 1], or [B, 1] for texts.

  paired: they are those of a decoder that has an encoder.
  """
  if len(shape) == 2 and shape[1] != inputs.mask.shape[1]:
    return np.ones((shape[0], 1))
  mask = inputs.mask
  if inputs.decoder is not None and paired:
    mask = np.ones_like(inputs.decoder)
    if inputs.shifted:  # PyTorch's embedding has no gradient on padding
      mask[:, 1:] = inputs.mask[:, :-1]
  return mask[:, :, None]
