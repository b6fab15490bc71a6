"""Exports adaptations for PEFT (huggingface/peft): fields and tensors."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from lm_jax.support.errors import UsageError
from lm_jax.types import Trunk

# PEFT wraps a model in two more modules.
WRAPPED = "base_model.model."
Fields = dict[str, Any]
Tensors = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Module:
  """A module of the Hugging Face model, and lm_jax's projections in it.

  name: its full name, such as "transformer.h.0.attn.c_attn".
  places: paths of lm_jax's projections, side by side: "....attention.query.".
  linear: whether it is a linear module, which PEFT can adapt.
  fused: whether its weight is [in, out].
  """

  name: str
  places: tuple[str, ...]
  linear: bool
  fused: bool


@dataclasses.dataclass(frozen=True)
class Update:
  """Update of a projection: A [in, r], B [r, out], DoRA's magnitudes [out]."""

  a: np.ndarray
  b: np.ndarray
  magnitude: np.ndarray | None


def low_rank(
  updates: dict[str, Update],
  kernels: dict[str, np.ndarray],
  modules: Sequence[Module],
  scale: float,
) -> tuple[Fields, Tensors]:
  """Exports LoRA or DoRA.

  If one module of the Hugging Face model holds several projections (GPT-2's
  c_attn), their updates become blocks of one update: A side by side, B on its
  part of the outputs, and the rank is the sum. A projection in it that is not
  adapted has zeros there, and for DoRA the magnitudes of its weights.

  Args:
    updates: by place.
    kernels: [in, out] of every projection, by place.
    modules: all of the model.
    scale: alpha / rank.

  Raises:
    UsageError: an adapted projection is not in a linear module.
  """
  tensors: Tensors = {}
  ranks: dict[str, int] = {}
  fused = False
  for module in modules:
    mine = [place for place in module.places if place in updates]
    if not mine:
      continue
    if not module.linear:
      raise UsageError(
        f"--adapter: PEFT adapts linear modules, and {module.name} is none;"
        " without --adapter it is merged"
      )
    fused = fused or module.fused
    a_IxR = np.concatenate([updates[x].a for x in mine], axis=1)
    ranks[module.name] = a_IxR.shape[1]
    name = f"{WRAPPED}{module.name}.lora_"
    tensors[f"{name}A.weight"] = a_IxR.T
    tensors[f"{name}B.weight"] = _blocks(updates, kernels, module).T
    if updates[mine[0]].magnitude is not None:
      sizes = [_magnitude(updates.get(x), kernels[x]) for x in module.places]
      tensors[f"{name}magnitude_vector"] = np.concatenate(sizes)
  most = max(ranks.values())
  others = {name: rank for name, rank in ranks.items() if rank != most}
  fields = {
    "peft_type": "LORA",
    "r": most,
    "lora_alpha": scale * most,
    "rank_pattern": others,
    "alpha_pattern": {name: scale * rank for name, rank in others.items()},
    "target_modules": sorted(ranks),
    "fan_in_fan_out": fused,
    "bias": "none",
    "use_dora": any(name.endswith("magnitude_vector") for name in tensors),
  }
  return fields, tensors


def _blocks(
  updates: dict[str, Update], kernels: dict[str, np.ndarray], module: Module
) -> np.ndarray:
  """Joins the B of each projection into [sum of ranks, sum of outputs]."""
  rows = []
  for place in module.places:
    if place not in updates:
      continue
    b_RxO = updates[place].b
    row = [
      b_RxO
      if other == place
      else np.zeros((len(b_RxO), kernels[other].shape[1]), b_RxO.dtype)
      for other in module.places
    ]
    rows.append(np.concatenate(row, axis=1))
  return np.concatenate(rows)


def _magnitude(update: Update | None, kernel_IxO: np.ndarray) -> np.ndarray:
  if update is None or update.magnitude is None:
    return np.linalg.norm(kernel_IxO, axis=0)
  return update.magnitude


def prompt(trunk: Trunk, tokens: int) -> Fields:
  """Returns the fields common to all kinds of prompts."""
  return {
    "num_virtual_tokens": tokens,
    "num_layers": trunk.layers,
    "num_attention_heads": trunk.heads,
    "num_transformer_submodules": 1,
    "token_dim": trunk.width,
  }
