"""The interface of every adaptation: few parameters are trained, others held.

A model's own parameters are those of its stack "main": the embeddings, the
layers, the output over the vocabulary. An adaptation holds them fixed and
trains parameters of its own; what an objective has beside that stack (heads,
ELECTRA's generator) is trained whole. To add one, write one new file beside
this one with one subclass; its fields become flags (`--adapt.rank=8`).

Its methods are called by the layers of the stack (lm_jax/models), and do
nothing unless they are overridden. A parameter that one makes has a name with
"adaptation" in it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from lm_jax.adaptation._peft import Fields, Module, Tensors
from lm_jax.support.errors import UsageError
from lm_jax.types import Array, Spec, Stream, Trunk

OWN = "adaptation"
# A model's own parameters begin with one of these.
MAIN = ("embedder_main.", "stack_main.", "output_main.")
# Parameters by their dotted paths.
Leaves = dict[str, Array]


def option(default, help_line: str):
  """A field of an adaptation: its default and the help line of its flag."""
  return dataclasses.field(default=default, metadata={"help": help_line})


@dataclasses.dataclass(frozen=True)
class Adaptation:
  """What every adaptation has; hashable, so that `jit` can tell two apart."""

  # Can it be merged into the model's own parameters?
  merges: ClassVar[bool] = False
  # What keeps it from that, for people.
  apart: ClassVar[str] = ""
  # Does it need rows that hold one text each?
  needs_documents: ClassVar[bool] = False

  @property
  def name(self) -> str:
    """That of its file (lm_jax/support/registry.py)."""
    return type(self).__module__.rpartition(".")[2]

  @property
  def ahead(self) -> int:
    """Positions that it takes in front of every text."""
    return 0

  def check(self, trunk: Trunk) -> None:
    """Raises UsageError where it has no place in a trunk."""

  def trains(self, name: str) -> bool:
    """Is the parameter of this dotted path trained?"""
    return is_own(name) or not name.startswith(MAIN)

  def without_dropout(self) -> Adaptation:
    """As it is used, not trained."""
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
    """Its parameters of step 0, where they follow from the model's own.

    Args:
      own: as initialized.
      held: the model's own.
      spec: of the model.
      rng: of the run's seed.
      encode: text to ids.
    """
    return own

  def projected(
    self, dense: Any, x_NxI: Array, kernel_IxO: Array, y_NxO: Array
  ) -> Array:
    """What stands in for y = x W, before the bias, in a projection.

    Args:
      dense: the lm_jax.models.layers.Dense, with its name, axes and dtype.
      x_NxI: what it reads.
      kernel_IxO: W, float32.
      y_NxO: x W.
    """
    return y_NxO

  def added(self, trunk: Trunk, part: str, y_NxD: Array) -> Array:
    """What stands in for that which a part of a layer adds to its states.

    Args:
      trunk: of the stack.
      part: "attention", "cross_attention" or "feedforward".
      y_NxD: what it adds.
    """
    return y_NxD

  def shared(self, trunk: Trunk) -> Any:
    """Arrays that all layers of a stack read; made once."""
    return None

  def prefix(self, trunk: Trunk, shared: Any) -> tuple[Array, Array] | None:
    """Keys and values [P, G, K] that a layer's self-attention always sees."""
    return None

  def prompt(self, embedder: Any, width: int, initializer: Any) -> Array | None:
    """Embeddings [P, E] of a soft prompt, parameters of the embedder."""
    return None

  def add_prompt(
    self, trunk: Trunk, inputs: Stream, source: Stream | None
  ) -> tuple[Stream, Stream | None]:
    """The streams as the stack reads them, for instance further behind."""
    return inputs, source

  def extend_prompt(self, trunk: Trunk, inputs: Stream) -> Stream:
    """Further tokens of a decoder's stream that was laid out."""
    return inputs

  def merged(self, leaves: Leaves) -> Leaves:
    """Parameters of the plain model that computes the same, if it `merges`."""
    raise NotImplementedError

  def peft(
    self,
    leaves: Mapping[str, np.ndarray],
    modules: Sequence[Module],
    trunk: Trunk,
  ) -> tuple[Fields, Tensors]:
    """What PEFT reads of it: of adapter_config.json, and the tensors.

    Args:
      leaves: all parameters, layer by layer, by their dotted paths.
      modules: of theirs, with the projections of ours that they hold.
      trunk: of the model.

    Raises:
      UsageError: PEFT has none such, or not in such a place.
    """
    raise UsageError(f"--adapter: PEFT has nothing that is {self.name}")


def is_own(name: str) -> bool:
  """Does a parameter of this dotted path belong to the adaptation?

  >>> is_own("stack_main.blocks.layer_0.attention.query.adaptation.up.kernel")
  True
  """
  return any(OWN in part for part in name.split("."))


def moved(stream: Stream, count: int) -> Stream:
  """The stream, its texts so many positions further behind."""
  return dataclasses.replace(stream, position_BxT=stream.position_BxT + count)


def require(name: str, value: float, least: float, below: float = 0) -> None:
  """Raises UsageError unless least <= value (< below, if that is given)."""
  if value < least or (below and value >= below):
    bound = f" and below {below:g}" if below else ""
    raise UsageError(
      f"--adapt.{name}={value:g}: must be at least {least:g}{bound}"
    )


def require_names(
  flag: str, given: Sequence[str], valid: Mapping[str, Any] | Sequence[str]
) -> None:
  """Raises UsageError unless there are some, all valid."""
  shown = ",".join(given)
  for name in given:
    if name not in valid:
      raise UsageError(
        f"--adapt.{flag}={shown}: the model has no {name}; valid are"
        f" {', '.join(valid)}"
      )
  if not given:
    raise UsageError(f"--adapt.{flag}=: must name some of {', '.join(valid)}")
