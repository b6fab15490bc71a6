"""Models ready to be written: adaptations merged, dropout left out."""

from __future__ import annotations

import dataclasses

from flax.traverse_util import unflatten_dict

from lm_jax.loaded_model import Trained
from lm_jax.storage.digest import flatten
from lm_jax.support.errors import UsageError


def merged(model: Trained) -> Trained:
  """The model without an adaptation, which computes the same.

  Raises:
    UsageError: there is no such model.
  """
  adaptation = model.network.adaptation
  if adaptation is None:
    return model
  if not adaptation.merges:
    raise UsageError(
      f"export: {adaptation.name} can't be merged into the model:"
      f" {adaptation.apart}; --adapter writes what PEFT can read of it"
    )
  leaves = adaptation.merged(flatten(model.params))
  return dataclasses.replace(
    model,
    network=model.network.clone(adaptation=None),
    params=unflatten_dict(leaves, sep="."),
  )


def without_dropout(model: Trained) -> Trained:
  """The model, its heads as they compute when nothing is learnt."""
  outputs = {
    name: dataclasses.replace(head, dropout=0.0) if head else None
    for name, head in model.outputs.items()
  }
  return dataclasses.replace(model, outputs=outputs)
