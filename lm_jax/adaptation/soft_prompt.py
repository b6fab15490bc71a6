"""Trains embeddings before every text (soft prompts)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal

import jax.numpy as jnp
import numpy as np

from lm_jax import specials as specials_lib
from lm_jax.adaptation import _peft, base
from lm_jax.adaptation._peft import Fields, Module, Tensors
from lm_jax.adaptation.base import Leaves
from lm_jax.models.dense import parameter
from lm_jax.support.errors import UsageError
from lm_jax.types import Array, Spec, Stream, Trunk

PROMPT = f"embedder_main.{base.OWN}_embedding"
TABLE = "embedder_main.embedding"


@dataclasses.dataclass(frozen=True)
class SoftPrompt(base.Adaptation):
  """Trains the embeddings of P tokens before the text.

  Lester et al. 2021, section 2; in an encoder_decoder they are before the
  encoder's text. Positions of texts are shifted by P. In an encoder the prompt
  also sees the text; in a decoder it comes first, even before the bidirectional
  part of a prefix_decoder. So rows hold one text each.
  """

  apart = "its tokens are read before every text"
  needs_documents = True

  tokens: int = base.option(20, "number of tokens of the prompt", least=1)
  init: Literal["vocabulary", "random", "text"] = base.option(
    "vocabulary",
    "initial embeddings; vocabulary: those of tokens drawn from the vocabulary;"
    " random: random numbers; text: those of the tokens of --adapt.text,"
    " repeated as needed",
  )
  text: str = base.option(
    "", "text whose tokens give the initial embeddings, for --adapt.init=text"
  )

  @property
  def ahead(self) -> int:
    return self.tokens

  def check(self, trunk: Trunk) -> None:
    if self.init == "text" and not self.text:
      raise UsageError("--adapt.init=text: needs --adapt.text")
    if self.text and self.init != "text":
      raise UsageError(
        f"--adapt.text={self.text[:40]}: is for --adapt.init=text, not"
        f" {self.init}"
      )

  def start(
    self,
    own: Leaves,
    held: Leaves,
    spec: Spec,
    rng: np.random.Generator,
    encode: Callable[[str], Sequence[int]],
  ) -> Leaves:
    if self.init == "random":
      return own
    ids = np.array(encode(self.text), np.int32)
    if self.init == "vocabulary":
      every = np.arange(spec.vocabulary, dtype=np.int32)
      text = every[np.asarray(specials_lib.is_text(every, spec.specials))]
      ids = rng.choice(text, self.tokens, replace=len(text) < self.tokens)
    if not len(ids):
      raise UsageError(f"--adapt.text={self.text[:40]}: has no tokens")
    return own | {PROMPT: held[TABLE][np.resize(ids, self.tokens)]}

  def prompt(self, embedder, width: int, initializer) -> Array:
    name = PROMPT.rpartition(".")[2]
    shape = (self.tokens, width)
    return parameter(embedder, name, initializer, shape, (None, "embed"))

  def add_prompt(
    self, trunk: Trunk, inputs: Stream, source: Stream | None
  ) -> tuple[Stream, Stream | None]:
    if source is not None:
      return inputs, self._prepend(trunk, source)
    return self._prepend(trunk, inputs), None

  def extend_prompt(self, trunk: Trunk, inputs: Stream) -> Stream:
    if trunk.architecture == "encoder_decoder":
      return inputs  # The prompt is the encoder's.
    return base.moved(inputs, self.tokens)

  def peft(
    self, leaves: Tensors, modules: Sequence[Module], trunk: Trunk
  ) -> tuple[Fields, Tensors]:
    prompt_PxE = leaves[PROMPT]
    fields = {
      **_peft.prompt(trunk, self.tokens),
      "peft_type": "PROMPT_TUNING",
      "prompt_tuning_init": "RANDOM",
      "token_dim": prompt_PxE.shape[1],
    }
    return fields, {"prompt_embeddings": prompt_PxE}

  def _prepend(self, trunk: Trunk, stream: Stream) -> Stream:
    """Prepends the prompt, whose ids are those above the vocabulary."""
    batch, count = stream.tokens_BxT.shape[0], self.tokens
    number_P = jnp.arange(count, dtype=jnp.int32)
    # In an encoder all ranks are 0; elsewhere it comes before them.
    rank_P = 0 * number_P if stream.mask == "full" else number_P - count

    def before(first_P: Array, x_BxT: Array) -> Array:
      first_BxP = jnp.broadcast_to(first_P, (batch, count))
      return jnp.concatenate([first_BxP, x_BxT], axis=1)

    kinds = stream.type_BxT
    return Stream(
      tokens_BxT=before(trunk.vocabulary + number_P, stream.tokens_BxT),
      position_BxT=before(number_P, stream.position_BxT + count),
      segment_BxT=before(0 * number_P + 1, stream.segment_BxT),
      query_rank_BxT=before(rank_P, stream.query_rank_BxT),
      key_rank_BxT=before(rank_P, stream.key_rank_BxT),
      type_BxT=None if kinds is None else before(0 * number_P, kinds),
      mask=stream.mask,
    )
