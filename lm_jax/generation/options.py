"""Options of a generation, with the names of Transformers."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any, Literal

from lm_jax.generation.sequence_bias import OutOfRange, bias
from lm_jax.support.errors import UsageError
from lm_jax.support.options import Option, option, options
from lm_jax.support.values import show

# Numbers that a compiled program takes as arguments, and the value with which
# each does nothing: only whether they do something is compiled in.
NEUTRAL = {
  "temperature": 1.0,
  "top_p": 1.0,
  "min_p": 0.0,
  "typical_p": 1.0,
  "epsilon_cutoff": 0.0,
  "eta_cutoff": 0.0,
  "repetition_penalty": 1.0,
  "length_penalty": 1.0,
  "diversity_penalty": 0.0,
  "penalty_alpha": 0.0,
}
# In the compiled part, such a number that does something.
_ACTIVE = 0.5


@dataclasses.dataclass(frozen=True)
class Generation:
  """Options of `generate`; the fields are flags.

  What is random is drawn from (seed, the row of the batch, the step), so that
  equal calls give equal texts.
  """

  max_new_tokens: int = option(64, "tokens to add at most", least=1, most=2**20)
  max_length: int = option(
    0,
    "tokens in all, the prompt's included; 0: by max_new_tokens",
    least=0,
    most=2**20,
    group="ends",
  )
  min_new_tokens: int = option(
    0, "tokens before the text may end", least=0, most=2**20, group="ends"
  )
  min_length: int = option(
    0,
    "tokens in all before the text may end, the prompt's included",
    least=0,
    most=2**20,
    group="ends",
  )
  do_sample: bool = option(
    False, "draw tokens; otherwise take the likeliest", group="sampling"
  )
  temperature: float = option(
    1.0,
    "logits are divided by it",
    above=0,
    hint="; do_sample=false takes the likeliest tokens",
    group="sampling",
  )
  top_k: int = option(
    50,
    "draw from so many of the likeliest tokens; 0: from all",
    least=0,
    most=2**20,
    group="sampling",
  )
  top_p: float = option(
    1.0,
    "from the fewest whose probabilities add up to it (Holtzman 2020)",
    above=0,
    most=1,
    group="sampling",
  )
  min_p: float = option(
    0.0,
    "from those at least this times as likely as the likeliest",
    least=0,
    most=1,
    group="sampling",
  )
  typical_p: float = option(
    1.0,
    "from the most typical that add up to it (Meister 2022)",
    above=0,
    most=1,
    group="sampling",
  )
  epsilon_cutoff: float = option(
    0.0,
    "from those of at least this probability (Hewitt 2022)",
    least=0,
    most=1,
    group="sampling",
  )
  eta_cutoff: float = option(
    0.0,
    "the same, with a threshold by the entropy (Hewitt 2022)",
    least=0,
    most=1,
    group="sampling",
  )
  repetition_penalty: float = option(
    1.0,
    "above 1 makes tokens that were there less likely (Keskar 2019)",
    above=0,
    group="tokens",
  )
  no_repeat_ngram_size: int = option(
    0, "no n tokens in a row come twice", least=0, most=2**10, group="tokens"
  )
  suppress_tokens: tuple[int, ...] = option(
    (), "ids that never come", group="tokens"
  )
  begin_suppress_tokens: tuple[int, ...] = option(
    (), "ids that do not come first", group="tokens"
  )
  bad_words_ids: tuple[tuple[int, ...], ...] = option(
    (), "ids that never come in this order: 5,6", repeat=True, group="tokens"
  )
  sequence_bias: tuple[str, ...] = option(
    (),
    "ids in this order get so much more, or less: 5,6:-2.5",
    repeat=True,
    group="tokens",
  )
  exponential_decay_length_penalty: tuple[float, ...] = option(
    (),
    "after so many tokens an end gets likelier by this factor each: 20,1.1",
    group="ends",
  )
  renormalize_logits: bool = option(
    False,
    "beams add up probabilities of what is left by the other options",
    group="beams",
  )
  decoder_start_token_id: int = option(
    -1, "id that a decoder reads first; -1: the model's own", group="ends"
  )
  forced_bos_token_id: int = option(
    -1, "id of the first new token, M2M-100's language; -1: free", group="ends"
  )
  forced_eos_token_id: int = option(
    -1,
    "id of the last token that max_new_tokens allows; -1: free",
    group="ends",
  )
  eos_token_id: tuple[int, ...] = option(
    (),
    "ids that end a text; by default the model's own; -1: none",
    group="ends",
  )
  stop_strings: tuple[str, ...] = option(
    (), "a text ends after any of these", repeat=True, group="ends"
  )
  num_return_sequences: int = option(
    1, "texts for each prompt", least=1, most=2**12
  )
  num_beams: int = option(
    1, "beams of a beam search; 1: none", least=1, most=2**10, group="beams"
  )
  num_beam_groups: int = option(
    1,
    "groups of beams that shall differ (Vijayakumar 2018)",
    least=1,
    most=2**10,
    group="beams",
  )
  diversity_penalty: float = option(
    0.0,
    "off the score of a token that an earlier group took at that step",
    least=0,
    most=10**6,
    group="beams",
  )
  length_penalty: float = option(
    1.0,
    "beam scores are divided by length to its power",
    least=-100,
    most=100,
    group="beams",
  )
  early_stopping: Literal["false", "true", "never"] = option(
    "false",
    "true ends a beam search with num_beams texts; never only when no better"
    " one can come",
    group="beams",
  )
  penalty_alpha: float = option(
    0.0,
    "above 0: contrastive search among the top_k (Su 2022)",
    least=0,
    most=1,
    group="search",
  )
  draft_tokens: int = option(
    4,
    "tokens that a draft model guesses ahead (Leviathan 2023)",
    least=1,
    most=64,
    group="search",
  )
  seed: int = option(0, "of what is random", least=0, most=2**31 - 1)

  @property
  def beams(self) -> bool:
    return self.num_beams > 1

  @property
  def contrastive(self) -> bool:
    return self.penalty_alpha > 0

  @property
  def biases(self) -> tuple[tuple[tuple[int, ...], float], ...]:
    """`sequence_bias` as ids and what is added to the last of them."""
    return tuple(map(bias, self.sequence_bias))

  def check(
    self, flag: str = "--", own: Collection[str] = (), where: str = ""
  ) -> Generation:
    """Checks the ranges of all options and returns self.

    Args:
      flag: put before the names: "--" of flags, "" of arguments.
      own: names whose values are the model's own; `where`, its file, is put
        before these.

    Raises:
      UsageError: an option is out of range, or contradicts another.
    """

    def before(name: str) -> str:
      return f"{where}: " if name in own and where else flag

    for name, one in schema().items():
      one.require(getattr(self, name), before(name))
    try:
      return self._checked()
    except OutOfRange as error:
      raise UsageError(f"{before(error.name)}{error.text}") from None

  def _checked(self) -> Generation:
    if self.min_new_tokens > self.max_new_tokens and not self.max_length:
      raise OutOfRange(
        "min_new_tokens",
        self.min_new_tokens,
        f"is above max_new_tokens={self.max_new_tokens}",
      )
    if not all(self.bad_words_ids):
      raise OutOfRange("bad_words_ids", "", "must be ids")
    _ = self.biases
    decay = self.exponential_decay_length_penalty
    if decay and (len(decay) != 2 or decay[0] < 0 or decay[1] <= 0):
      raise OutOfRange(
        "exponential_decay_length_penalty",
        show(decay),
        "must be a number of tokens and a factor above 0",
      )
    self._check_together()
    return self

  def _check_together(self) -> None:
    count, beams = self.num_return_sequences, self.num_beams
    if self.beams and count > beams:
      raise OutOfRange(
        "num_return_sequences",
        count,
        f"a search with num_beams={beams} has no more than that",
      )
    if count > 1 and not self.beams and not self.do_sample:
      raise OutOfRange(
        "num_return_sequences",
        count,
        "without do_sample or num_beams all would be the same",
      )
    groups = self.num_beam_groups
    if groups > 1 and (beams % groups or self.do_sample):
      raise OutOfRange(
        "num_beam_groups",
        groups,
        f"must divide num_beams={beams}, and goes without do_sample",
      )
    if groups > 1 and not self.diversity_penalty:
      raise OutOfRange(
        "diversity_penalty", 0, "groups of beams would all be the same"
      )
    if self.contrastive and (
      self.do_sample or self.beams or count > 1 or self.top_k < 2
    ):
      raise OutOfRange(
        "penalty_alpha",
        self.penalty_alpha,
        "contrastive search gives one text, goes without do_sample and"
        " num_beams, and needs a top_k of at least 2",
      )

  def check_draft(self, flag: str = "--") -> None:
    """Raises UsageError for what does not go with a draft model."""
    plain = Generation()
    for name in (
      *("num_beams", "penalty_alpha", "repetition_penalty", "min_new_tokens"),
      *("no_repeat_ngram_size", "suppress_tokens", "begin_suppress_tokens"),
      *("bad_words_ids", "sequence_bias", "min_length"),
      "exponential_decay_length_penalty",
      *("forced_bos_token_id", "forced_eos_token_id"),
    ):
      value = getattr(self, name)
      if value != getattr(plain, name):
        raise UsageError(
          f"{flag}{name}={show(value)}: does not go with a draft model, whose"
          " guesses are judged by plain sampling or greedy search"
        )

  def static(self, draft: bool = False) -> Generation:
    """Returns what is compiled in: equal for options of one program.

    draft: is there a draft model?
    """
    changes: dict[str, Any] = {
      name: neutral if getattr(self, name) == neutral else _ACTIVE
      for name, neutral in NEUTRAL.items()
    }
    if not draft:
      changes["draft_tokens"] = 0
    changes |= {"seed": 0, "stop_strings": (), "max_length": 0}
    changes |= {"max_new_tokens": 0, "min_new_tokens": 0, "min_length": 0}
    changes |= {"decoder_start_token_id": -1}
    if not self.do_sample and not self.contrastive:
      changes["top_k"] = 0
    return dataclasses.replace(self, **changes)

  @property
  def values(self) -> dict[str, float]:
    """The numbers that a program takes as arguments."""
    return {name: float(getattr(self, name)) for name in NEUTRAL}


def schema(prefix: str = "") -> dict[str, Option]:
  """The options as flags."""
  return options(Generation, prefix)
