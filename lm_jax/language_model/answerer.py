"""A trained model as tasks see it that ask for more than scores of texts.

What goes on with a text is asked by the likelihood of choices and by its own
texts, what fills blanks by those, and everything else by its own score.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from lm_jax.generation import batches, prompts
from lm_jax.generation.generate import Generator
from lm_jax.generation.infill import Filler
from lm_jax.inference.score import Scorer
from lm_jax.loaded_model import Trained
from lm_jax.prompting import judges
from lm_jax.prompting.cloze import BLANK, Cloze
from lm_jax.prompting.pairs import ChoiceScorer, Pair, Scores, progress
from lm_jax.support.errors import UsageError

_ROWS = 16  # texts that are written together
_STEPS = 8  # passes in which blanks are filled


class Answerer(Scorer):
  """A Scorer that also ranks choices, goes on with texts and fills blanks.

  Args:
    model: with a tokenizer, but for its generator, which takes ids, too.
  """

  def __init__(self, model: Trained):
    super().__init__(model)
    self._model = model

  @functools.cached_property
  def judge(self) -> ChoiceScorer:
    """Ranks choices; raises UsageError where it can't, as all of these do."""
    return judges.make_scorer(self._model)

  @functools.cached_property
  def generator(self) -> Generator:
    """Goes on with texts."""
    return Generator(self._model)

  @functools.cached_property
  def cloze(self) -> Cloze:
    """Scores words in blanks."""
    return Cloze(self._model)

  @functools.cached_property
  def filler(self) -> Filler:
    """Fills blanks."""
    return Filler(self._model)

  @property
  def chooses_by(self) -> str:
    """The kind of the scores of choices: "log_likelihood" or `scoring`."""
    return self.judge.kind

  @property
  def fills(self) -> bool:
    """Returns whether the model can fill a blank."""
    return self._model.fills

  def require_likelihood(self, task: str) -> None:
    """Raises UsageError unless its scores of choices are probabilities.

    task: names what needs them.
    """
    if not self._model.is_generative:
      raise UsageError(
        f"--tasks={task}: needs the exact likelihood of what follows a text,"
        f" and {self._model.name} is of {self.objective.name}; those of"
        f" {judges.continuing(exact=True)} have it, and imported decoders"
      )

  def require_generator(self, task: str) -> None:
    """Raises UsageError unless it goes on with texts."""
    try:
      prompts.require_generator(self._model)
    except UsageError as error:
      raise UsageError(
        f"--tasks={task}: needs a model that goes on with a text: {error};"
        f" those of {judges.continuing(exact=False)} do, and imported decoders"
      ) from None

  def choices(self, pairs: Sequence[tuple[str, str]]) -> Scores:
    """Scores of choices behind prompts, in nats.

    Args:
      pairs: (prompt, choice), with what stands between them.
    """
    return self.judge.scores([Pair(*pair) for pair in pairs])

  def blank_scores(self, blanks: Sequence[tuple[str, str, str]]) -> Scores:
    """log p of words in blanks; of models with `fills`.

    Args:
      blanks: (text before it, word, text behind it).
    """
    pairs = [Pair(a + BLANK + b, word) for a, word, b in blanks]
    return self.cloze.scores(pairs)

  def continuations(
    self, texts: Sequence[str], seed: int = 0, **options: Any
  ) -> list[list[str]]:
    """Continues each prompt; prompts that are too long lose first tokens.

    Args:
      texts: prompts.
      seed: of what is sampled.
      **options: of lm_jax.generation.options.Generation.

    Returns:
      num_return_sequences texts of each prompt.
    """
    count = options.get("num_return_sequences", 1)
    size = max(1, _ROWS // count)
    return batches.write(
      *(self.generator, texts, options, seed, size, progress)
    )

  def token_count(self, text: str) -> int:
    """Tokens of a text, one at least."""
    return max(1, len(self._tokenizer.encode(text)))

  def fill(self, before: str, blanks: int, after: str) -> str:
    """Fills a number of blanks between two texts (mask-predict)."""
    return self.filler.between(before, blanks, after, _STEPS)
