"""Exports the trained part of an adapted model for PEFT, over the same base."""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
from typing import Any

import numpy as np
from flax.traverse_util import unflatten_dict

from lm_jax.adaptation._peft import WRAPPED, Module
from lm_jax.adaptation.base import is_own
from lm_jax.hugging_face import export, source_files
from lm_jax.hugging_face import weights as weights_lib
from lm_jax.hugging_face import write as write_lib
from lm_jax.hugging_face.export import Part
from lm_jax.loaded_model import Trained
from lm_jax.models.unrolled import unroll_stack
from lm_jax.storage.digest import flatten
from lm_jax.support.errors import UsageError

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_TASKS = {
  "causal_decoder": "CAUSAL_LM",
  "prefix_decoder": "CAUSAL_LM",
  "encoder_decoder": "SEQ_2_SEQ_LM",
  "encoder": "FEATURE_EXTRACTION",
}
_KERNEL, _WEIGHT = "kernel", ".weight"


def save(
  model: Trained, to: str, family: str = "", what: str = "--model"
) -> list[str]:
  """Writes adapter_config.json and adapter_model.safetensors.

  Args:
    model: adapted; `what` names it in messages.
    to: a directory that is new or empty; it is returned.
    family: by name, of the base; by default as of an export.

  Raises:
    UsageError: the model is not adapted, or by what PEFT has not, or where
      PEFT has no such place; or the directory can't be written.
  """
  adaptation = model.network.adaptation
  if adaptation is None:
    raise UsageError(f"{what}: is not adapted; --adapter has nothing to write")
  plain = _plain(model)
  part, *others = export.parts_of(plain, family)
  if others:
    raise UsageError(f"{what}: has two stacks, and PEFT adapts one")
  leaves = {
    name: np.asarray(leaf) for name, leaf in flatten(_layers(model)).items()
  }
  trunk = part.model.trunk
  fields, tensors = adaptation.peft(leaves, _modules(part), trunk)
  heads = _heads(part, _layers(plain))
  if heads and not adaptation.merges:
    raise UsageError(
      f"{what}: --adapter: PEFT saves no head ({', '.join(heads)}) beside"
      f" {adaptation.name}"
    )
  base = model.config.model
  fields = {
    "base_model_name_or_path": base
    if source_files.is_directory(base)
    else None,
    "task_type": _TASKS[trunk.architecture],
    "inference_mode": True,
    **fields,
    "modules_to_save": sorted({x.rpartition(".")[0] for x in heads}) or None,
  }
  tensors |= {f"{WRAPPED}{name}": tensor for name, tensor in heads.items()}

  def fill(folder: pathlib.Path) -> None:
    text = json.dumps(fields, indent=2) + "\n"
    stored = [
      (name, x.dtype, x.shape, functools.partial(np.ascontiguousarray, x))
      for name, x in tensors.items()
    ]
    weights_lib.write(folder, stored)
    (folder / "model.safetensors").rename(folder / WEIGHTS)
    (folder / CONFIG).write_text(text, encoding="utf-8")

  export.write_whole(to, fill)
  return [to]


def _plain(model: Trained) -> Trained:
  """The model without its adaptation: the base, and heads."""
  own = {n: x for n, x in flatten(model.params).items() if not is_own(n)}
  network = model.network.clone(adaptation=None)
  return dataclasses.replace(
    model, network=network, params=unflatten_dict(own, sep=".")
  )


def _layers(model: Trained) -> dict[str, Any]:
  """The parameters, those of a scan layer by layer."""
  stack = unroll_stack(model.params["stack_main"])
  return {**model.params, "stack_main": stack}


def _modules(part: Part) -> list[Module]:
  """Lists the modules of the file that have a weight matrix."""
  return [
    Module(
      name.removesuffix(_WEIGHT),
      tuple(path.removesuffix(_KERNEL) for path in rule.ours),
      linear=rule.shape is None and name.endswith(_WEIGHT),
      fused=not rule.transpose,
    )
    for name, rule in part.model.tensors.items()
    if rule.ours[0].endswith(f".{_KERNEL}")
  ]


def _heads(part: Part, params: Any) -> dict[str, np.ndarray]:
  """Tensors of what an objective has trained beside the stack."""
  rules = part.model.tensors
  return {
    name: make()
    for name, _, _, make in write_lib.tensors(part.model, params)
    if name in rules and rules[name].ours[0].startswith("heads_")
  }
