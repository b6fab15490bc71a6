"""Models to be used or to be trained further: of a run, or imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from lm_jax.config import Config
from lm_jax.data.tokenizer import Tokenizer
from lm_jax.models.network import Network
from lm_jax.objectives.base import Objective
from lm_jax.types import Head, Spec

TOKENIZER = "tokenizer.json"
VOCABULARY = "vocabulary"


class Trained(NamedTuple):
  """A model, ready to be called.

  tokenizer: None for a directory without one: it reads ids only.
  network: of the objective's stacks and heads, or of the imported heads.
  outputs: the heads by name, and "vocabulary"; the first is what `logits` is.
  source: the directory that it was read from; "" for none.
  base: digest of the parameters of the model that it adapts; "" for none.
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


def scoring(model: Trained) -> str:
  """Returns the kind of its scores; "" where it lacks the output for them."""
  needed = model.objective.scores_by(model.spec)
  return model.objective.scoring if needed in model.outputs else ""
