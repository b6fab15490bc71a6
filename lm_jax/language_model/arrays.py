"""Arrays that a model computes from token ids."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, Self

import jax
import numpy as np

from lm_jax.config import Config
from lm_jax.data.tokenizer import Tokenizer
from lm_jax.hugging_face import pretrained
from lm_jax.inference import compiled
from lm_jax.inference import inputs as inputs_lib
from lm_jax.inference.score import Scorer
from lm_jax.loaded_model import VOCABULARY, Trained
from lm_jax.storage.digest import flatten
from lm_jax.support.errors import UsageError
from lm_jax.types import Array


class ArrayModel:
  """A trained model that takes ids and gives NumPy arrays (`LanguageModel`)."""

  def __init__(self, model: Trained):
    self.trained = model
    self.config: Config = model.config
    self.tokenizer: Tokenizer | None = model.tokenizer
    self.outputs: tuple[str, ...] = tuple(model.outputs)
    self.scoring: str = model.scoring
    self._params = model.params
    self._spec = model.spec
    self._network = model.measuring
    trunk = dict(model.network.trunks)["main"]
    adaptation = model.network.adaptation
    self._ahead = adaptation.ahead if adaptation else 0
    # As texts find it: what is ahead of them takes positions.
    self._trunk = dataclasses.replace(
      trunk, max_positions=trunk.max_positions - self._ahead
    )
    self._streams = functools.partial(
      inputs_lib.streams,
      self._trunk,
      self._spec,
      starts_with_last=pretrained.starts_with_last(self.config),
    )

  @property
  def scorer(self) -> Scorer:
    """The model as texts are given to it."""
    raise NotImplementedError

  def __repr__(self) -> str:
    """Describes the model in a line."""
    trunk, spec = self._trunk, self._spec
    what = self.config.family or self.config.objective
    facts = [
      f"{what}, {spec.architecture} of {trunk.layers} x {trunk.width}",
      f"{self.num_parameters():,} parameters",
      f"vocabulary {spec.vocabulary:,}",
      f"length {spec.length:,}",
    ]
    where = self.trained.source
    return f"LanguageModel({', '.join(facts + [repr(where)] * bool(where))})"

  @property
  def params(self) -> Any:
    """Its parameters: a pytree of float32 arrays, for `apply`."""
    return self._params

  def with_params(self, params: Any) -> Self:
    """The same model with other parameters, say after steps of your own.

    Args:
      params: of the structure and the shapes of `params`.

    Raises:
      UsageError: they are of others.
    """
    own, other = (
      {name: leaf.shape for name, leaf in flatten(tree).items()}
      for tree in (self._params, params)
    )
    wrong = sorted(own.items() ^ other.items())
    if wrong:
      name = wrong[0][0]
      raise UsageError(
        f"params: {name} must be {own.get(name, 'left out')} and is"
        f" {other.get(name, 'absent')}"
      )
    return type(self)(dataclasses.replace(self.trained, params=params))

  def num_parameters(self) -> int:
    """Number of parameters; tied ones count once."""
    return sum(leaf.size for leaf in jax.tree.leaves(self._params))

  def logits(
    self,
    input_ids: Array,
    attention_mask: Array | None = None,
    token_type_ids: Array | None = None,
    decoder_input_ids: Array | None = None,
    position_ids: Array | None = None,
    mems: Sequence[Array] = (),
    output: str = "",
  ) -> np.ndarray:
    """The logits of one of `outputs`, as Transformers' `.logits` are.

    Over the vocabulary they are [B, T, V]: an encoder sees both ways, and a
    decoder the past, so that position t of it tells of token t + 1. A head of
    tokens gives [B, T, size] (question answering: start and end), or [B, T]
    of a discriminator; a head of texts [B, size], or
    [B, D] of a bare pooler.

    Args:
      input_ids: integers [B, T], read by the encoder where there is one.
      attention_mask: [B, T], 0 on padding, on either side; by default none.
        Logits on padding have no meaning.
      token_type_ids: [B, T], where the model has token types.
      decoder_input_ids: [B, T'] of an encoder_decoder, whose logits are
        [B, T', V]. Its heads read input_ids shifted by one unless it is given.
      position_ids: [B, T]; by default they count from 0 behind the padding
        (Transformers counts padding on the left, too, unless it is told).
      mems: of XLNet: what `mems` gave for the segments before.
      output: one of `outputs`; the first by default.

    Raises:
      UsageError: an argument that the model lacks or needs, ids that it has
        not, or a model without outputs.
    """
    outputs = self.apply(
      *(self._params, input_ids, attention_mask, token_type_ids),
      *(decoder_input_ids, position_ids, mems, output),
    )
    return np.asarray(outputs)

  def apply(
    self,
    params: Any,
    input_ids: Array,
    attention_mask: Array | None = None,
    token_type_ids: Array | None = None,
    decoder_input_ids: Array | None = None,
    position_ids: Array | None = None,
    mems: Sequence[Array] = (),
    output: str = "",
  ) -> jax.Array:
    """`logits` as a pure function of the parameters and the inputs.

    It may be jitted, differentiated and vectorised like any function of JAX;
    nothing is dropped out, and everything is float32. Inside jit the values of
    ids are not checked, since they are not known.

    Args:
      params: as `params`, of the same shapes.
      input_ids, attention_mask, token_type_ids, decoder_input_ids,
        position_ids, mems, output: as of `logits`; `output` is no array.

    Raises:
      UsageError: as `logits`.
    """
    name = output or next(iter(self.outputs), "")
    if name not in self.outputs:
      valid = ", ".join(self.outputs) or "none: hidden() has its states"
      raise UsageError(f"logits: output={name}: valid are {valid}")
    inputs, source = self._streams(
      *(input_ids, attention_mask, token_type_ids),
      *(decoder_input_ids, position_ids),
      shifted=name != VOCABULARY,
    )
    head = self.trained.outputs[name]
    end = self._spec.specials.end
    if head is not None and head.pool == "end":
      read = inputs if source is None else source
      inputs_lib.require_token(read, end, name)
    run = compiled.logits(self._network, name, head, end)
    past = self._past(mems)
    outputs = run(params, inputs, source, past)
    if head is not None and name == self.trained.objective.scores_by(
      self._spec
    ):
      return outputs[:, :, 0]  # a discriminator's
    return outputs

  def mems(
    self,
    input_ids: Array,
    attention_mask: Array | None = None,
    token_type_ids: Array | None = None,
    mems: Sequence[Array] = (),
    mem_len: int = 0,
  ) -> tuple[np.ndarray, ...]:
    """XLNet's memory of a segment: float32 [B, M, D] for each layer.

    Args:
      input_ids, attention_mask, token_type_ids: as of `logits`.
      mems: of the segments before this one.
      mem_len: states to keep; 0 keeps all.

    Raises:
      UsageError: the model is no XLNet, or `logits` would raise.
    """
    self._past(mems)
    self._require_memory()
    inputs, _ = self._streams(input_ids, attention_mask, token_type_ids)
    states = compiled.memory(self._network, mem_len)(
      self._params, inputs, tuple(mems)
    )
    return tuple(map(np.asarray, states))

  def _require_memory(self) -> None:
    if self._trunk.positions != "xlnet":
      raise UsageError("mems: only an XLNet has a memory")
    if self._ahead:
      raise UsageError("mems: a model with a soft prompt has no memory")

  def _past(self, mems: Sequence[Array]) -> tuple[Array, ...]:
    if mems:
      self._require_memory()
    if mems and len(mems) != self._trunk.layers:
      raise UsageError(
        f"mems: {len(mems)} are given, and the model has {self._trunk.layers} "
        "layers"
      )
    return tuple(mems)

  def hidden(
    self,
    texts_or_ids: str | Sequence[str] | Array,
    attention_mask: Array | None = None,
    token_type_ids: Array | None = None,
    decoder_input_ids: Array | None = None,
    position_ids: Array | None = None,
    mems: Sequence[Array] = (),
  ) -> list[np.ndarray] | np.ndarray:
    """Last-layer states, as the objective has a whole text read.

    An encoder and the prefix of a prefix_decoder see both ways; an
    encoder_decoder gives the decoder's states, which reads the text behind
    its start token unless it is given something else.

    Args:
      texts_or_ids: texts, or integers [B, T] as `logits` takes them.
      attention_mask, token_type_ids, decoder_input_ids, position_ids, mems:
        of ids, as `logits` takes them.

    Returns:
      For texts a list of float32 [T, D], one state for each token, and for
      each special token that the model has around a text; for ids float32
      [B, T, D].
    """
    if inputs_lib.are_texts(texts_or_ids):
      texts = inputs_lib.texts(texts_or_ids)
      return self.scorer.text_states(texts)
    inputs, source = self._streams(
      *(texts_or_ids, attention_mask, token_type_ids),
      *(decoder_input_ids, position_ids),
      shifted=True,
      whole=True,
    )
    run = compiled.states(self._network)
    return np.asarray(run(self._params, inputs, source, self._past(mems)))
