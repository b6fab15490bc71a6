"""Fine-tunes text to text; only the answer contributes to the loss."""

from __future__ import annotations

import dataclasses
from typing import Literal

from lm_jax import layout
from lm_jax.layout import Part
from lm_jax.objectives import base
from lm_jax.support.errors import UsageError
from lm_jax.support.options import option
from lm_jax.types import ANSWER, Array, Problem, Rows, Spec

Bleu = Literal[
  "language", "script", "13a", "intl", "char", "zh", "ja-mecab", "ko-mecab"
]


@dataclasses.dataclass(frozen=True)
class Respond(base.Objective):
  """L = -1/n sum log p(answer token | context, answer tokens before it).

  Text to text (Raffel et al. 2020, section 2.4): translation, summaries,
  dialogue, and labels by their names. An encoder_decoder reads the context in
  its encoder; decoders read both in one stream (lm_jax/layout.py, `pair`),
  the prefix_decoder the context both ways. Rows have all contexts in their
  first columns, and the answers in the last `answer_length`.
  """

  architectures = base.DECODERS
  natural = "encoder_decoder"
  scoring = ""
  supervised = True
  continues = True
  needs = ("end",)

  answer_length: int = option(32, "columns of a row for the answer")
  languages: tuple[str, ...] = option(
    (), "codes of the languages to translate between, if there are several"
  )
  beams: int = option(
    1, "beams in the search for answers; 1: no search", least=1
  )
  bleu: Bleu = option(
    "language",
    "sacrebleu's tokenizer of translations; language: zh, ja-mecab, ko-mecab or"
    " char for languages that need them, 13a for others; script: as before this"
    " flag existed, without mecab",
    absent="script",
  )

  def check(self, spec: Spec, batch_size: int, accumulate: int) -> None:
    super().check(spec, batch_size, accumulate)
    if not 1 <= self.answer_length < spec.length:
      raise UsageError(
        f"--objective.answer_length={self.answer_length}: must be 1 to"
        f" {spec.length - 1}, below --length={spec.length}, which has the"
        " context's columns, too"
      )

  def make(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    split = rows.tokens_BxL.shape[1] - self.answer_length
    # Tokens in these columns that are no answer would be learnt, too.
    is_answer = rows.part_BxL == ANSWER
    context = Part(rows.tokens_BxL[:, :split], rows.segment_BxL[:, :split])
    answer = Part(
      rows.tokens_BxL[:, split:],
      (rows.segment_BxL * is_answer)[:, split:],
    )
    return layout.pair(context, answer, spec)

  def prompt(self, rows: Rows, spec: Spec) -> Problem:
    return base.answering(rows, spec, before=spec.specials.boundary)
