"""Models to be used or to be trained further: of a run, or imported."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from lm_jax.config import Config
from lm_jax.data.tokenizer import Tokenizer
from lm_jax.models.network import Network
from lm_jax.objectives.base import Objective
from lm_jax.support.errors import UsageError
from lm_jax.types import ABSENT, Head, Likelihood, Spec

TOKENIZER = "tokenizer.json"
VOCABULARY = "vocabulary"


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
  """A model, ready to be called.

  tokenizer: None for a directory without one: it reads ids only.
  network: of the objective's stacks and heads, or of the imported heads.
  outputs: the heads by name, and "vocabulary"; the first is what `logits` is.
  source: the directory that it was read from; "" for none.
  base: digest of the parameters of the model that it adapts; "" for none.
  name: of it in messages: the flag and the directory that it was read from.
  """

  config: Config
  tokenizer: Tokenizer | None
  objective: Objective
  network: Network
  spec: Spec
  outputs: Mapping[str, Head | None]
  params: Any
  source: str = ""
  base: str = ""
  name: str = "the model"

  @functools.cached_property
  def measuring(self) -> Network:
    """Its network without dropout, in float32 whatever it was trained in."""
    return self.network.for_measuring()

  def require_tokenizer(self) -> Tokenizer:
    """Returns its tokenizer, or raises UsageError."""
    if self.tokenizer is None:
      raise UsageError(
        f"{self.name}: the model has no tokenizer files beside it"
      )
    return self.tokenizer

  @property
  def scoring(self) -> str:
    """The kind of its scores; "" where it lacks the output for them."""
    needed = self.objective.scores_by(self.spec)
    return self.objective.scoring if needed in self.outputs else ""

  @property
  def likelihood(self) -> Likelihood | None:
    """The way to have the likelihood of a text; None: it has none."""
    return self.objective.likelihood() if VOCABULARY in self.outputs else None

  @property
  def is_generative(self) -> bool:
    """True if it gives continuations their exact probability.

    A model that was pretrained to fill holes scores by its own objective.
    """
    if self.spec.architecture == "encoder" or VOCABULARY not in self.outputs:
      return False
    exact = self.scoring == "log_likelihood"
    return bool(self.config.family) or (self.objective.continues and exact)

  @property
  def fills(self) -> bool:
    """True if it may fill a blank: its texts have a mask token."""
    return self.objective.fills and self.spec.specials.mask != ABSENT

  @property
  def outputs_shown(self) -> str:
    """Its outputs, for a message."""
    return ", ".join(self.outputs) or "its states"

  @property
  def text_length(self) -> int:
    """The most tokens of a text that it reads: those of a row, or fewer.

    A row of several texts may be longer than the table of positions.
    """
    trunk = dict(self.network.trunks)["main"]
    if trunk.positions != "learned":
      return self.spec.length
    adaptation = self.network.adaptation
    ahead = adaptation.ahead if adaptation else 0
    return min(self.spec.length, trunk.max_positions - ahead)


def outputs_of(
  objective: Objective, network: Network, spec: Spec
) -> dict[str, Head | None]:
  """The outputs that an objective trains on its main stack, by name."""
  heads = dict(network.head_specs)
  outputs: dict[str, Head | None] = {VOCABULARY: None, **heads}
  if objective.scores_by(spec) != VOCABULARY or (
    objective.supervised and (heads or objective.headless)
  ):
    del outputs[VOCABULARY]  # The main stack has none.
  return outputs
