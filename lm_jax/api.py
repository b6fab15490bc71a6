"""Trained models from Python, with arguments as Transformers users know them.

lm = lm_jax.load("runs/clm-seed0")
lm.score(["The state of the Union is strong."])
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from lm_jax import evaluate as evaluate_lib
from lm_jax import layout, trained
from lm_jax.config import Config
from lm_jax.data import rows as rows_lib
from lm_jax.data.tokenizer import Tokenizer
from lm_jax.score import Scorer, exact, for_measuring
from lm_jax.trained import Trained
from lm_jax.types import ANSWER, PADDING, Array, Rows, Stream, UsageError


def load(path: str | os.PathLike) -> LanguageModel:
  """The model of a run directory, as its last whole checkpoint has it.

  Raises:
    UsageError: not a run directory, or no checkpoint of it can be read.
  """
  return LanguageModel(trained.load(os.fspath(path), "path"))


def evaluate(
  model_dir: str | os.PathLike, tasks: Sequence[str] = ()
) -> dict[str, float]:
  """Measures a run's model on its own corpus's held-out text.

  Writes nothing into the directory.

  Args:
    model_dir: of the run.
    tasks: by name; none means all that apply.

  Raises:
    UsageError: as `load`, an unknown task, or the run's corpus is gone or has
      changed.
  """
  model = trained.load(os.fspath(model_dir))
  options = model.config.data
  dataset = rows_lib.load(options, model.config.length)
  if dataset.tokenizer.fingerprint != model.tokenizer.fingerprint:
    raise UsageError(
      f"--model={os.fspath(model_dir)}: its corpus {options.corpus} has "
      "changed since it was trained"
    )
  scorer = evaluate_lib.scorer(model.program.plan, model.params, dataset)
  return evaluate_lib.evaluate(scorer, dataset, tasks).metrics


class LanguageModel:
  """A trained model; made by `load`.

  All results are NumPy arrays in float32, computed in float32, but for sums
  of scores. Texts have at most `config.length - 1` tokens. Inputs of another
  shape are compiled for once.

  Attributes:
    config: of the run that trained it.
    tokenizer: text to ids and back, without special tokens around them.
    scoring: what its scores are: "log_likelihood", "pseudo_log_likelihood",
      "infilling" or "energy". Only equal kinds compare.
  """

  def __init__(self, model: Trained):
    self.config: Config = model.config
    self.tokenizer: Tokenizer = model.tokenizer
    self._params = model.params
    plan = model.program.plan
    self._spec = plan.spec
    self._scorer = Scorer(
      plan.objective, plan.network, model.params, plan.spec, model.tokenizer
    )
    self.scoring = self._scorer.scoring
    self._token_types = dict(plan.network.trunks)["main"].token_types
    self._logits = exact(_logits, for_measuring(plan.network))

  def logits(
    self,
    input_ids: Array,
    attention_mask: Array | None = None,
    token_type_ids: Array | None = None,
    decoder_input_ids: Array | None = None,
  ) -> np.ndarray:
    """Logits over the vocabulary at each position, float32 [B, T, V].

    An encoder sees both ways, and a decoder the past: position t of it tells
    of token t + 1. Texts in training start with the boundary token.

    Args:
      input_ids: integers [B, T], read by the encoder where there is one.
      attention_mask: [B, T], 0 on padding, on either side; by default none.
        Logits on padding have no meaning.
      token_type_ids: [B, T], where the model has token types.
      decoder_input_ids: [B, T'] of an encoder_decoder, whose logits are
        [B, T', V].

    Raises:
      UsageError: an argument that the model lacks or needs, ids that it has
        not, or a model without logits over tokens (a discriminator).
    """
    if self.scoring == "energy":
      raise UsageError(
        f"logits: {self.config.objective} predicts no tokens; score() has its "
        "energies"
      )
    if token_type_ids is not None and not self._token_types:
      raise UsageError("token_type_ids: the model has no token types")
    paired = self._spec.architecture == "encoder_decoder"
    if paired != (decoder_input_ids is not None):
      raise UsageError(
        f"decoder_input_ids: {'needed by' if paired else 'not for'} a model "
        f"with the architecture {self._spec.architecture}"
      )
    types = None
    if token_type_ids is not None:
      types = self._ids(token_type_ids, "token_type_ids", self._token_types)
    rows = self._rows(input_ids, attention_mask)
    mask = "full" if self._spec.architecture in _BOTH_WAYS else "causal"
    inputs, source = _stream(rows, mask, types), None
    if decoder_input_ids is not None:
      source, inputs = inputs, _stream(self._rows(decoder_input_ids), "causal")
    return np.asarray(self._logits(self._params, inputs, source))

  def hidden(
    self,
    texts_or_ids: Sequence[str] | Array,
    attention_mask: Array | None = None,
  ) -> list[np.ndarray] | np.ndarray:
    """Last-layer states, as the objective has a whole text read.

    Args:
      texts_or_ids: texts, or integers [B, T] as `logits` takes them.
      attention_mask: of ids.

    Returns:
      For texts a list of float32 [1 + T, D], one state for the boundary token
      and each token; for ids float32 [B, T, D].
    """
    if _are_texts(texts_or_ids):
      return self._scorer.text_states(_texts(texts_or_ids))
    return self._scorer.states(self._rows(texts_or_ids, attention_mask))

  def embed(self, texts: Sequence[str]) -> np.ndarray:
    """Mean of each text's last-layer states, long ones cut: [n, D]."""
    return self._scorer.text_features(_texts(texts))

  def score(
    self, texts: Sequence[str], per_token: bool = False
  ) -> np.ndarray | list[np.ndarray]:
    """The objective's own score of each text, in nats; higher is likelier.

    Returns:
      Sums over the tokens, float64 [n]; or `per_token` a list of float32 [T],
      aligned with `tokenizer.encode(text)`.

    Raises:
      UsageError: a text is longer than the model's rows.
    """
    if per_token:
      return self._scorer.text_token_scores(_texts(texts))
    return self._scorer.text_scores(_texts(texts))

  def _rows(self, ids: Array, attention_mask: Array | None = None) -> Rows:
    tokens_BxT = self._ids(ids, "input_ids", self._spec.vocabulary)
    real_BxT = np.ones_like(tokens_BxT)
    if attention_mask is not None:
      real_BxT = self._ids(attention_mask, "attention_mask", 2)
      if real_BxT.shape != tokens_BxT.shape:
        raise UsageError(
          f"attention_mask: has the shape {real_BxT.shape}, and the ids "
          f"{tokens_BxT.shape}"
        )
      if (layout.starts(real_BxT) & (real_BxT > 0)).sum(axis=1).max() > 1:
        raise UsageError("attention_mask: has padding inside a text")
    word_BxT = np.broadcast_to(
      np.arange(tokens_BxT.shape[1], dtype=np.int32), tokens_BxT.shape
    )
    part_BxT = np.where(real_BxT > 0, ANSWER, PADDING).astype(np.int32)
    none_BxT = np.zeros_like(tokens_BxT)
    return Rows(tokens_BxT, real_BxT, word_BxT, none_BxT, part_BxT)

  def _ids(self, values: Array, name: str, count: int) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.integer):
      raise UsageError(
        f"{name}: must be integers [batch, length], not {array.dtype} of the "
        f"shape {array.shape}"
      )
    if array.size and not 0 <= array.min() <= array.max() < count:
      raise UsageError(
        f"{name}: must lie between 0 and {count - 1}, not between "
        f"{array.min()} and {array.max()}"
      )
    return array.astype(np.int32)


_BOTH_WAYS = ("encoder", "encoder_decoder")


def _logits(net, inputs: Stream, source: Stream | None) -> Array:
  return net.head("vocabulary", net.hidden(inputs, source))


def _stream(rows: Rows, mask, type_BxT: Array | None = None) -> Stream:
  return layout.stream(
    rows.tokens_BxL, rows.segment_BxL, mask, type_BxT=type_BxT
  )


def _are_texts(value) -> bool:
  return isinstance(value, str) or (
    isinstance(value, Sequence) and all(isinstance(x, str) for x in value)
  )


def _texts(texts: Sequence[str]) -> Sequence[str]:
  if isinstance(texts, str):
    raise UsageError("texts: must be a list of texts, not one text")
  return texts
