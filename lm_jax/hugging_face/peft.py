"""What was trained of an adapted model, as PEFT reads it over the same base."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from flax.traverse_util import unflatten_dict

from lm_jax.adaptation import _low_rank, soft_prompt
from lm_jax.adaptation._prefix import Prefix, sizes
from lm_jax.adaptation.base import OWN, is_own
from lm_jax.digest import flatten
from lm_jax.families.base import BLOCKS, Tensor
from lm_jax.hugging_face import export, origin
from lm_jax.hugging_face import weights as weights_lib
from lm_jax.hugging_face.export import Part
from lm_jax.models.unrolled import of_stack
from lm_jax.trained import Trained
from lm_jax.types import Trunk, UsageError

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
# PEFT wraps a model in two layers of its own.
PREFIX = "base_model.model."
TASKS = {
  "causal_decoder": "CAUSAL_LM",
  "prefix_decoder": "CAUSAL_LM",
  "encoder_decoder": "SEQ_2_SEQ_LM",
  "encoder": "FEATURE_EXTRACTION",
}

Leaves = dict[str, np.ndarray]
Written = tuple[dict[str, Any], Leaves]


def save(
  model: Trained, to: str, family: str = "", what: str = "--model"
) -> list[str]:
  """Writes adapter_config.json and adapter_model.safetensors.

  Args:
    model: adapted.
    to: a directory that is new or empty.
    family: by name, of the base; by default as of an export.
    what: names the model in messages.

  Returns:
    the directory.

  Raises:
    UsageError: the model is not adapted, or by what PEFT has not, or where
      PEFT has no such place; or the directory can't be written.
  """
  adaptation = model.network.adaptation
  if adaptation is None:
    raise UsageError(f"{what}: is not adapted; --adapter has nothing to write")
  part, *others = export.parts_of(_plain(model), family)
  if others:
    raise UsageError(f"{what}: has two stacks, and PEFT reads one")
  params = {**model.params, "stack_main": of_stack(model.params["stack_main"])}
  leaves = {n: np.asarray(x) for n, x in flatten(params).items()}
  write = next(
    (w for kind, w in _WRITERS.items() if isinstance(adaptation, kind)), None
  )
  if write is None:
    raise UsageError(
      f"{what}: PEFT has no {adaptation.name} that it could read"
    )
  fields, tensors = write(adaptation, leaves, part)
  base = model.config.model
  fields = {
    "base_model_name_or_path": base if origin.is_directory(base) else None,
    "task_type": TASKS[part.model.trunk.architecture],
    "inference_mode": True,
    **fields,
  }

  def fill(folder: pathlib.Path) -> None:
    folder.mkdir(parents=True)
    text = json.dumps(fields, indent=2) + "\n"
    (folder / CONFIG).write_text(text, encoding="utf-8")
    stored = [(n, x.dtype, x.shape, _giving(x)) for n, x in tensors.items()]
    weights_lib.write(folder, iter(stored))
    (folder / "model.safetensors").rename(folder / WEIGHTS)

  export.write_whole(to, fill)
  return [to]


def _giving(array: np.ndarray) -> Callable[[], np.ndarray]:
  return lambda: np.ascontiguousarray(array)


def _plain(model: Trained) -> Trained:
  """The model without its adaptation: the base, and heads."""
  own = {n: x for n, x in flatten(model.params).items() if not is_own(n)}
  network = model.network.clone(adaptation=None)
  return model._replace(
    network=network, params=unflatten_dict(own, sep=".")
  )


def _low_rank_of(
  adaptation: _low_rank.LowRank, leaves: Leaves, part: Part
) -> Written:
  """LoRA or DoRA.

  Where theirs has one module for several projections of ours (GPT-2's
  c_attn), the updates stand in blocks of one: A side by side, B on its part of
  the outputs, of as many times the rank. What is not adapted among them gets
  zeros, and of DoRA the magnitudes that it has.
  """
  tensors: Leaves = {}
  ranks: dict[str, int] = {}
  fused = False
  adapted = {
    name.removesuffix(f"{OWN}.{_low_rank.DOWN}")
    for name in leaves
    if name.endswith(f"{OWN}.{_low_rank.DOWN}")
  }
  for theirs, rule in part.model.tensors.items():
    places = [x.removesuffix("kernel") for x in rule.ours]
    mine = [place for place in places if place in adapted]
    if not mine:
      continue
    _require_linear(theirs, rule, part)
    adapted -= set(mine)
    module = theirs.removesuffix(".weight")
    downs = [leaves[f"{x}{OWN}.{_low_rank.DOWN}"] for x in mine]
    ups = [leaves[f"{x}{OWN}.{_low_rank.UP}"] for x in mine]
    ranks[module] = sum(down.shape[1] for down in downs)
    fused = fused or not rule.transpose
    down_IxR, up_RxO = np.concatenate(downs, axis=1), _blocks(ups, places, mine, leaves)
    tensors[f"{PREFIX}{module}.lora_A.weight"] = down_IxR.T
    tensors[f"{PREFIX}{module}.lora_B.weight"] = up_RxO.T
    if any(f"{x}{OWN}.{_low_rank.SCALE}" in leaves for x in mine):
      size_O = np.concatenate([_magnitude(x, leaves) for x in places])
      tensors[f"{PREFIX}{module}.lora_magnitude_vector"] = size_O
  rank = max(ranks.values())
  scale = adaptation.alpha / adaptation.rank
  fields = {
    "peft_type": "LORA",
    "r": rank,
    "lora_alpha": scale * rank,
    "rank_pattern": {m: r for m, r in ranks.items() if r != rank},
    "alpha_pattern": {m: scale * r for m, r in ranks.items() if r != rank},
    "lora_dropout": adaptation.dropout,
    "target_modules": sorted(ranks),
    "fan_in_fan_out": fused,
    "bias": "none",
    "use_dora": any(name.endswith("magnitude_vector") for name in tensors),
  }
  return fields, tensors


def _require_linear(theirs: str, rule: Tensor, part: Part) -> None:
  if rule.shape is not None or not theirs.endswith(".weight"):
    raise UsageError(
      f"--adapter: PEFT adapts linear modules, and {theirs} of"
      f" {part.model.family.title} is none; without --adapter it is merged"
    )


def _blocks(
  ups: list[np.ndarray],
  places: list[str],
  mine: list[str],
  leaves: Leaves,
) -> np.ndarray:
  """Each B [r, out] where its projection's outputs are among all of theirs."""
  widths = [leaves[f"{place}kernel"].shape[1] for place in places]
  edges = np.cumsum([0, *widths])
  total = np.zeros((sum(up.shape[0] for up in ups), edges[-1]), np.float32)
  row = 0
  for place, up in zip(mine, ups, strict=True):
    at = places.index(place)
    total[row : row + len(up), edges[at] : edges[at + 1]] = up
    row += len(up)
  return total


def _magnitude(place: str, leaves: Leaves) -> np.ndarray:
  own = leaves.get(f"{place}{OWN}.{_low_rank.SCALE}")
  if own is None:
    own = np.linalg.norm(leaves[f"{place}kernel"], axis=0)
  return own


def _soft_prompt_of(
  adaptation: soft_prompt.SoftPrompt, leaves: Leaves, part: Part
) -> Written:
  trunk = part.model.trunk
  prompt_PxE = leaves[soft_prompt.PROMPT]
  fields = {
    "peft_type": "PROMPT_TUNING",
    "prompt_tuning_init": "RANDOM",
    **_prompt_fields(trunk, adaptation.tokens),
    "token_dim": prompt_PxE.shape[1],
  }
  return fields, {"prompt_embeddings": prompt_PxE}


def _prompt_fields(trunk: Trunk, tokens: int) -> dict[str, Any]:
  return {
    "num_virtual_tokens": tokens,
    "num_layers": trunk.layers,
    "num_attention_heads": trunk.heads,
    "num_transformer_submodules": 1,
  }


def _prefix_of(adaptation: Prefix, leaves: Leaves, part: Part) -> Written:
  """Keys and values of all layers; prefix tuning's network is folded in."""
  trunk = part.model.trunk
  if trunk.architecture != "causal_decoder":
    raise UsageError(
      f"--adapter: PEFT puts a prefix before causal decoders as it is here, and"
      f" not before {trunk.architecture}"
    )
  groups, size = sizes(trunk)
  pairs = []
  for number in trunk.sharing or range(trunk.layers):
    place = f"{BLOCKS}.layer_{number}.attention.{OWN}."
    pairs += [adaptation.values(leaves, place, name) for name in ("key", "value")]
  stacked_PxM = np.stack(pairs, axis=1).reshape(adaptation.tokens, -1)
  fields = {
    "peft_type": "PREFIX_TUNING",
    "prefix_projection": False,
    **_prompt_fields(trunk, adaptation.tokens),
    "token_dim": groups * size,
    "num_attention_heads": groups,
    "encoder_hidden_size": groups * size,
  }
  return fields, {"prompt_embeddings": stacked_PxM}


_WRITERS: Mapping[type, Callable[[Any, Leaves, Part], Written]] = {
  _low_rank.LowRank: _low_rank_of,
  soft_prompt.SoftPrompt: _soft_prompt_of,
  Prefix: _prefix_of,
}
