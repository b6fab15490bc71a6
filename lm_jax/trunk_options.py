"""The trunk's options: a size or a preset, what differs, and what can't be."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from lm_jax import registry
from lm_jax.models import sizes
from lm_jax.options import Option, options
from lm_jax.types import Architecture, Trunk, UsageError

# Set from elsewhere: the data, --architecture, --dtype, and the objective.
_DERIVED = frozenset(
  {"vocabulary", "max_positions", "architecture", "dtype", "embeddings"}
)
FIELDS = tuple(
  field.name
  for field in dataclasses.fields(Trunk)
  if field.name not in _DERIVED
)

_HELPS = {
  "layers": "layers of the stack, of the decoder where there are two",
  "width": "width of the residual stream",
  "heads": "attention heads",
  "feedforward": "width of the hidden layer of the feed-forward network",
  "kv_heads": "heads of keys and values; 0: as many as heads",
  "head_width": "width of a head; 0: width / heads",
  "embedding_width": "width of a factorized embedding; 0: width",
  "encoder_layers": "layers of the encoder of encoder_decoder; 0: layers",
  "norm": "kind of normalization",
  "norm_placement": "before each part (pre) or after its residual sum (post)",
  "norm_epsilon": "added to the variance",
  "embedding_norm": "normalize the embeddings",
  "positions": "how positions are told",
  "relative_buckets": "T5's relative positions: buckets",
  "relative_distance": "T5's relative positions: where the last bucket starts",
  "rotary_base": "rotary positions: base of the wavelengths",
  "activation": "of the feed-forward network; swiglu and geglu are gated",
  "bias": "biases in the projections",
  "tied": "the output uses the embedding table",
  "output_bias": "a bias on the vocabulary logits",
  "output_transform": "BERT's dense layer, activation and norm before it",
  "token_types": "kinds of token with an embedding of their own; 0: none",
  "windows": "local attention windows, layer by layer, repeated; 0: dense",
  "dropout": "rate on embeddings and on what is added to the residual stream",
  "attention_dropout": "rate on attention weights",
  "attention": "the kernel; auto: the fastest that fits",
  "initializer_range": "standard deviation of the initial parameters",
  "remat": "what the backward pass computes again to save memory",
  "scan": "compile one layer and loop over it",
}


def schema() -> dict[str, Option]:
  """The flags, by path: "trunk.preset", "trunk.layers", ...

  They have no defaults of their own: the size or the preset has.
  """
  preset = Option(
    "trunk.preset",
    str,
    "",
    "a published shape: `list sizes`. What is not given below is as the size,"
    " or the preset, has it",
  )
  found = options(Trunk, "trunk.", _HELPS)
  fields = [found[f"trunk.{name}"] for name in FIELDS]
  return {
    preset.path: preset,
    **{o.path: dataclasses.replace(o, default=None) for o in fields},
  }


def make(
  size: str,
  changes: Mapping[str, Any],
  architecture: Architecture,
  dtype: Any,
) -> Trunk:
  """The trunk of a size, or of changes["preset"], with its changes.

  Raises:
    UsageError: there is no such size or preset.
  """
  changes = dict(changes)
  preset = changes.pop("preset", "")
  flag, name, table = "--size", size, sizes.SIZES
  if preset:
    flag, name, table = "--trunk.preset", preset, sizes.PRESETS
  if name not in table:
    raise registry.unknown(flag, name, table)
  return dataclasses.replace(
    table[name], architecture=architecture, dtype=dtype, **changes
  )


def check(trunk: Trunk) -> None:
  """Raises UsageError if there can be no such transformer."""
  for name, least in {
    "layers": 1,
    "width": 1,
    "heads": 1,
    "feedforward": 1,
    "kv_heads": 0,
    "head_width": 0,
    "embedding_width": 0,
    "encoder_layers": 0,
    "relative_buckets": 4,
    "relative_distance": 1,
    "token_types": 0,
    "norm_epsilon": 0,
    "initializer_range": 0,
  }.items():
    value = getattr(trunk, name)
    if value < least:
      raise UsageError(f"--trunk.{name}={value}: must be at least {least}")
  for name in ("dropout", "attention_dropout"):
    value = getattr(trunk, name)
    if not 0 <= value < 1:
      raise UsageError(
        f"--trunk.{name}={value}: must be at least 0 and below 1"
      )
  if not trunk.windows or min(trunk.windows) < 0:
    shown = ",".join(map(str, trunk.windows))
    raise UsageError(
      f"--trunk.windows={shown}: must be whole numbers from 0, 256,0"
    )
  if not trunk.head_width and trunk.width % trunk.heads:
    divisors = [n for n in range(1, trunk.width + 1) if trunk.width % n == 0]
    near = sorted(sorted(divisors, key=lambda n: abs(n - trunk.heads))[:3])
    raise UsageError(
      f"--trunk.heads={trunk.heads}: must divide --trunk.width={trunk.width}"
      f" (as {', '.join(map(str, near))} do) unless --trunk.head_width is given"
    )
  if trunk.kv_heads and trunk.heads % trunk.kv_heads:
    raise UsageError(
      f"--trunk.kv_heads={trunk.kv_heads}: must divide"
      f" --trunk.heads={trunk.heads}"
    )
  if trunk.scan and trunk.layers % len(trunk.windows):
    shown = ",".join(map(str, trunk.windows))
    raise UsageError(
      f"--trunk.windows={shown}: with --trunk.scan their number must divide"
      f" --trunk.layers={trunk.layers}"
    )
  if trunk.relative_distance <= trunk.relative_buckets // 2:
    raise UsageError(
      f"--trunk.relative_distance={trunk.relative_distance}: must be above"
      f" half of --trunk.relative_buckets={trunk.relative_buckets}"
    )
  width = trunk.embedding_width or trunk.width
  if trunk.positions == "sinusoidal" and width % 2:
    raise UsageError(
      f"--trunk.positions=sinusoidal: needs embeddings of an even width, not"
      f" {width}"
    )
  head_width = trunk.head_width or trunk.width // trunk.heads
  if trunk.positions == "rotary" and head_width % 2:
    raise UsageError(
      f"--trunk.positions=rotary: needs heads of an even width, not"
      f" {head_width} (--trunk.width={trunk.width} by"
      f" --trunk.heads={trunk.heads})"
    )
