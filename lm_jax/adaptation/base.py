"""Defines the interface of adaptations, which train few parameters.

A model's own parameters are those of its stack "main": the embeddings, the
layers, the output over the vocabulary. An adaptation holds them fixed and
trains new parameters; everything that an objective has outside that stack
(heads, ELECTRA's generator) is trained fully. To add one, write one new file
beside this one with one subclass; its fields become flags (`--adapt.rank=8`).

The layers of the stack (lm_jax/models) call its methods, which do nothing
unless they are overridden. The names of new parameters contain "adaptation".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from lm_jax.adaptation._peft import Fields, Module, Tensors
from lm_jax.support.errors import UsageError
from lm_jax.support.options import option as option  # of every adaptation
from lm_jax.types import Array, Spec, Stream, Trunk

OWN = "adaptation"
# A model's own parameters begin with one of these.
MAIN = ("embedder_main.", "stack_main.", "output_main.")
# Parameters by their dotted paths.
Leaves = dict[str, Array]


@dataclasses.dataclass(frozen=True)
class Adaptation:
  """Base class of adaptations; hashable, so that `jit` can distinguish two."""

  # Whether it can be merged into the model's own parameters.
  merges: ClassVar[bool] = False
  # The reason why it can't be merged, for messages.
  apart: ClassVar[str] = ""
  # Whether it needs rows that hold one text each.
  needs_documents: ClassVar[bool] = False

  @property
  def name(self) -> str:
    """Name of its file (lm_jax/support/registry.py)."""
    return type(self).__module__.rpartition(".")[2]

  @property
  def ahead(self) -> int:
    """Number of positions that it takes before every text."""
    return 0

  def check(self, trunk: Trunk) -> None:
    """Raises UsageError if it does not fit a trunk."""

  def trains(self, name: str) -> bool:
    """Returns whether the parameter of this dotted path is trained."""
    return is_own(name) or not name.startswith(MAIN)

  def without_dropout(self) -> Adaptation:
    """Returns it without dropout, for use after training."""
    if getattr(self, "dropout", 0):
      return dataclasses.replace(self, dropout=0.0)  # type: ignore[call-arg]
    return self

  def start(
    self,
    own: Leaves,
    held: Leaves,
    spec: Spec,
    rng: np.random.Generator,
    encode: Callable[[str], Sequence[int]],
  ) -> Leaves:
    """Returns its initial parameters, if they depend on the model's own.

    Args:
      own: its parameters as initialized.
      held: the model's own.
      spec: of the model.
      rng: of the run's seed.
      encode: text to ids.
    """
    return own

  def projected(
    self, dense: Any, x_NxI: Array, kernel_IxO: Array, y_NxO: Array
  ) -> Array:
    """Computes the replacement of y = x W, before the bias, in a projection.

    Args:
      dense: the lm_jax.models.dense.Dense, with its name, axes and dtype.
      x_NxI: its input.
      kernel_IxO: W, float32.
      y_NxO: x W.
    """
    return y_NxO

  def added(self, trunk: Trunk, part: str, y_NxD: Array) -> Array:
    """Computes the replacement of what a part of a layer adds to its states.

    Args:
      trunk: of the stack.
      part: "attention", "cross_attention" or "feedforward".
      y_NxD: the output of the part.
    """
    return y_NxD

  def shared(self, trunk: Trunk) -> Any:
    """Computes arrays that all layers of a stack read; called once."""
    return None

  def prefix(self, trunk: Trunk, shared: Any) -> tuple[Array, Array] | None:
    """Returns keys and values [P, G, K] that self-attention always sees."""
    return None

  def prompt(self, embedder: Any, width: int, initializer: Any) -> Array | None:
    """Declares embeddings [P, E] of a soft prompt, as embedder parameters."""
    return None

  def add_prompt(
    self, trunk: Trunk, inputs: Stream, source: Stream | None
  ) -> tuple[Stream, Stream | None]:
    """Returns the streams as the stack reads them, e.g. shifted."""
    return inputs, source

  def extend_prompt(self, trunk: Trunk, inputs: Stream) -> Stream:
    """Returns further tokens of a decoder's stream, as the stack reads them."""
    return inputs

  def merged(self, leaves: Leaves) -> Leaves:
    """Computes parameters of the equivalent plain model, if it `merges`.

    By default they are the model's own, as they are.
    """
    return {name: x for name, x in leaves.items() if not is_own(name)}

  def peft(
    self, leaves: Tensors, modules: Sequence[Module], trunk: Trunk
  ) -> tuple[Fields, Tensors]:
    """Exports it for PEFT: fields of adapter_config.json, and tensors.

    Args:
      leaves: all parameters, layer by layer, by their dotted paths.
      modules: of the Hugging Face model, with lm_jax's projections in them.
      trunk: of the model.

    Raises:
      UsageError: PEFT has nothing like it, or not in such a place.
    """
    raise UsageError(f"--adapter: PEFT has nothing that is {self.name}")


def is_own(name: str) -> bool:
  """Returns whether a parameter of this path belongs to the adaptation.

  >>> is_own("stack_main.blocks.layer_0.attention.query.adaptation.up.kernel")
  True
  """
  return any(OWN in part for part in name.split("."))


def moved(stream: Stream, count: int) -> Stream:
  """Shifts the positions of a stream by `count`."""
  return dataclasses.replace(stream, position_BxT=stream.position_BxT + count)


def require_names(
  flag: str, given: Sequence[str], valid: Mapping[str, Any] | Sequence[str]
) -> None:
  """Raises UsageError unless there are names and all are valid."""
  shown = ",".join(given)
  for name in given:
    if name not in valid:
      raise UsageError(
        f"--adapt.{flag}={shown}: the model has no {name}; valid are"
        f" {', '.join(valid)}"
      )
  if not given:
    raise UsageError(f"--adapt.{flag}=: must name some of {', '.join(valid)}")
