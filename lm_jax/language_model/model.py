"""A model, ready for texts, with arguments as Transformers users know them."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from lm_jax.data import rows as rows_lib
from lm_jax.data.rows import Dataset
from lm_jax.data.vocabulary import KINDS as RECIPES
from lm_jax.generation import read_options
from lm_jax.inference import inputs as inputs_lib
from lm_jax.inference import load as load_lib
from lm_jax.inference.directory import ModelDirectory
from lm_jax.language_model.answerer import Answerer
from lm_jax.language_model.arrays import ArrayModel
from lm_jax.storage.digest import digest
from lm_jax.support.errors import UsageError
from lm_jax.types import Array

if TYPE_CHECKING:
  from lm_jax.generation.infill import Candidate


class LanguageModel(ArrayModel):
  """A trained model; made by `load`.

  All results are NumPy arrays in float32, computed in float32, but for sums
  of scores. Texts have at most `config.length` tokens, special ones included.
  Inputs of another shape are compiled for once.

  Attributes:
    config: of the run that trained it, or of the one that an imported model
      would become.
    tokenizer: text to ids and back, without special tokens around them; None
      for a directory without tokenizer files.
    outputs: what `logits` may give, by name: "vocabulary", and heads.
    scoring: what its scores are: "log_likelihood", "pseudo_log_likelihood",
      "infilling" or "energy"; "" for a model without an output to score by.
      Only equal kinds compare.
  """

  @classmethod
  def load(cls, source: ModelDirectory) -> Self:
    """Loads the model of a directory; raises as `lm_jax.load`."""
    return cls(load_lib.load(source))

  @property
  def scorer(self) -> Answerer:
    """The model as tasks ask it, or UsageError where it has no tokenizer."""
    self.trained.require_tokenizer()
    return self._answerer

  @functools.cached_property
  def _answerer(self) -> Answerer:
    """The same, also without a tokenizer: for what takes ids."""
    return Answerer(self.trained)

  @functools.cached_property
  def dataset(self) -> Dataset:
    """The data that the model was trained on.

    Raises:
      UsageError: the corpus is gone or has changed.
    """
    options, tokenizer = self.config.data, self.trained.require_tokenizer()
    if self.config.family or options.tokenizer not in RECIPES:
      # The run's own copy: where it was taken from may be gone.
      options = dataclasses.replace(options, tokenizer=str(tokenizer.path))
    dataset = rows_lib.load(options, self.config.length)
    if dataset.tokenizer.fingerprint != tokenizer.fingerprint:
      raise UsageError(
        f"{self.trained.name}: its corpus {options.corpus} has changed since it"
        " was trained"
      )
    return dataset

  def about(self) -> dict[str, Any]:
    """Describes the model for results.json."""
    return {
      "path": self.trained.source,
      "digest": digest(self.params),
      "objective": self.config.objective,
      "architecture": self.trained.spec.architecture,
      "scoring": self.scoring,
      "heads": {
        name: head.pool
        for name, head in self.trained.outputs.items()
        if head is not None
      },
      "parameters": self.num_parameters(),
      "length": self.config.length,
    }

  def embed(self, texts: str | Iterable[str]) -> np.ndarray:
    """Mean of each text's last-layer states, long ones cut: [n, D]."""
    return self.scorer.text_features(inputs_lib.texts(texts))

  def score(
    self, texts: str | Iterable[str], per_token: bool = False
  ) -> np.ndarray | list[np.ndarray]:
    """The objective's own score of each text, in nats; higher is likelier.

    Returns:
      Sums over the tokens, float64 [n]; or `per_token` a list of float32 [T],
      aligned with `tokenizer.encode(text)`.

    Raises:
      UsageError: a text is longer than the model's rows.
    """
    if not self.scoring:
      raise UsageError(
        "score: the model has no output to score by, only "
        f"{', '.join(self.outputs) or 'its states'}"
      )
    if per_token:
      return self.scorer.text_token_scores(inputs_lib.texts(texts))
    return self.scorer.text_scores(inputs_lib.texts(texts))

  def generate(
    self,
    prompts: str | Sequence[str] | Array,
    attention_mask: Array | None = None,
    decoder_input_ids: Sequence[int] = (),
    truncate: Literal["", "left", "right"] = "",
    stream: Callable[[str], None] | None = None,
    source_language: str = "",
    target_language: str = "",
    **options: Any,
  ) -> list[str] | np.ndarray:
    """Goes on with texts or ids, with the options of Transformers.

    Args:
      prompts: texts; or integers [B, T] as Transformers' `generate` takes.
      attention_mask: of ids, [B, T], 0 on padding, on either side.
      decoder_input_ids: of ids, what every row's decoder begins with, the
        start token included.
      truncate: the side on which too long a text is cut.
      stream: called with pieces of the text as it comes, some of them "", every
        few tokens; of one prompt.
      source_language, target_language: of texts and a model that translates
        (M2M-100, mBART): a code of the tokenizer's, or an English name.
      **options: of lm_jax.generation.options.Generation: max_new_tokens,
        do_sample, temperature, top_k, top_p, num_beams, seed, ...; by
        default those of the model's generation_config.json.

    Returns:
      For texts the new texts, num_return_sequences of each in their order; for
      ids int32 [B * num_return_sequences, T'], of a decoder the prompts and
      what follows, of an encoder_decoder what its decoder reads and says,
      padded at the end.

    Raises:
      UsageError: a model that can't, an option or prompt out of range.
    """
    from lm_jax.generation import defaults

    own = (
      defaults.from_directory(self.trained.source)
      if self.trained.source
      else {}
    )
    where = defaults.file_of(self.trained.source) if own else ""
    flags = read_options.read(options, own, str(where))
    if inputs_lib.are_texts(prompts):
      texts = inputs_lib.texts(prompts, "prompts")
      show = None
      if stream is not None:
        if len(texts) * flags.num_return_sequences != 1:
          raise UsageError("stream: is of one text")
        show = lambda _, piece: stream(piece)  # noqa: E731
      generated = self._answerer.generator.generate(
        texts, flags, truncate, show, source_language, target_language
      )
      return [result.text for result in generated]
    if stream or truncate or source_language or target_language:
      raise UsageError(
        "stream, truncate, source_language, target_language: are of texts, not"
        " of ids"
      )
    rows = inputs_lib.rows(self._trunk, prompts, attention_mask)
    ids = [
      row[real > 0].tolist()
      for row, real in zip(rows.tokens_BxL, rows.segment_BxL, strict=True)
    ]
    generator = self._answerer.generator
    start = list(generator.decoder_prompt(flags, decoder_input_ids))
    generated = generator.continue_ids(ids, flags, start)
    if self._spec.architecture == "encoder_decoder":
      ids = [start or [self._spec.specials.start]] * len(ids)
    whole = [ids[result.prompt] + result.ids for result in generated]
    out = np.full(
      (len(whole), max(map(len, whole))), self._spec.specials.pad, np.int32
    )
    for row, numbers in zip(out, whole, strict=True):
      row[: len(numbers)] = numbers
    return out

  def fill(self, text: str, top_k: int = 5) -> list[list[Candidate]]:
    """Candidates for each blank of a text, likeliest first.

    Args:
      text: with the tokenizer's mask token for what is missing.
      top_k: candidates of each blank.

    Raises:
      UsageError: the model does not fill blanks, or there are none.
    """
    return self._answerer.filler.blanks(inputs_lib.text(text), top_k)

  def fill_sentence(self, text: str, steps: int = 10) -> str:
    """The text with its blanks filled, in `steps` passes (mask-predict).

    Raises:
      UsageError: as `fill`.
    """
    return self._answerer.filler.sentence(inputs_lib.text(text), steps)

  def save_pretrained(
    self, path: str | os.PathLike, family: str = ""
  ) -> list[str]:
    """Writes Hugging Face directories that Transformers reads.

    Args:
      path: a new or empty directory; a model of rtd is written as two,
        "discriminator" and "generator", below it.
      family: one of `list families`; by default the one that the model came
        from, or else that of the objective.

    Returns:
      the directories.

    Raises:
      UsageError: the model does not fit the family, or the directory is
        taken.
    """
    from lm_jax.hugging_face import export

    path = os.path.expanduser(os.fspath(path))
    return export.save(self.trained, path, family)
