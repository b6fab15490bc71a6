"""Answers that are read from generated text: chain of thought, and votes.

Wei et al. 2022: the shots show their reasoning, the model writes its own, and
the answer is found in it. Wang et al. 2022 (self-consistency): of several
samples, the commonest answer counts.
"""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable, Sequence

from lm_jax.generation import batches, prompts
from lm_jax.generation.generate import Generator
from lm_jax.generation.options import Generation
from lm_jax.loaded_model import Trained
from lm_jax.prompting.pairs import progress
from lm_jax.prompting.template import Template
from lm_jax.support.errors import UsageError

_PROMPTS = 8  # that are gone on with together


def answer(text: str, pattern: str) -> str | None:
  """Finds the last match of a pattern, or its first group if it has one.

  >>> answer("the answer is 3. No: the answer is 4.", r"answer is (\\d+)")
  '4'
  """
  last = None
  for match in re.finditer(pattern, text):
    last = match.group(1) if match.re.groups else match.group()
  return last


def vote(answers: Iterable[str | None]) -> str | None:
  """Returns the commonest answer; ties go to the first; None is no answer.

  >>> vote([None, "4", "5", "5", "4"])
  '4'
  """
  counted = collections.Counter(a for a in answers if a is not None)
  return max(counted, key=lambda a: counted[a], default=None)


class Writer:
  """A model that writes answers; of lm_jax.prompting.pairs it is Sizes.

  Args:
    model: generative.
    template: with answer_pattern, and options of generation.
    samples: texts for each prompt; 1 takes the template's options as they
      are, more sample.
  """

  kind = "generated"

  def __init__(self, model: Trained, template: Template, samples: int):
    self._generator = Generator(model)
    self._tokenizer = model.require_tokenizer()
    self._specials = model.spec.specials
    self.room = prompts.context(model)
    self._options = dict(template.generation)
    if samples > 1:
      self._options |= {"do_sample": True, "num_return_sequences": samples}
    self.samples = max(samples, self._options.get("num_return_sequences", 1))
    options = Generation(**self._options).check("")
    self.spare = options.max_new_tokens
    if self.room and self.spare >= self.room:
      raise UsageError(
        f"{template.where}: generation: max_new_tokens={self.spare}: the"
        f" model's context has room for {self.room}"
      )

  def size(self, prompt: str, choices: Iterable[str] = ()) -> int:
    """Tokens of a prompt."""
    del choices
    around = len(self._specials.before) + len(self._specials.after)
    return around + len(self._tokenizer.encode(prompt))

  def write(self, texts: Sequence[str], seed: int) -> list[list[str]]:
    """Writes `samples` continuations of each prompt.

    A prompt that is too long loses its first tokens.
    """
    return batches.write(
      *(self._generator, texts, self._options, seed, _PROMPTS, progress)
    )
