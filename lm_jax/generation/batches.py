"""Continuations of many prompts, those of like length together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from absl import logging

from lm_jax.generation import prompts
from lm_jax.generation.generate import Generator
from lm_jax.generation.options import Generation


def write(
  generator: Generator,
  texts: Sequence[str],
  options: Mapping[str, Any],
  seed: int,
  size: int,
  progress: Callable[[Iterable[int]], Iterable[int]],
  bare: bool = False,
) -> list[list[str]]:
  """Generates num_return_sequences continuations of each prompt.

  Too long a prompt loses its first tokens, but half of the context is for
  prompts at most where new tokens need it; this is logged.

  Args:
    generator: of the model.
    texts: prompts.
    options: of Generation, by name; what is random is drawn from `seed`.
    seed: of all batches.
    size: prompts in a batch.
    progress: shows that batches are done.
    bare: without the special tokens in front of a prompt.
  """
  wanted = Generation(**options).check("").max_new_tokens
  room, spare = prompts.context(generator.model), wanted
  if room:
    longest = max(map(len, prompts.encode(generator.model, texts, 0, "")))
    spare = min(wanted, max(room // 2, room - longest))
    room -= spare
    if longest > room or spare < wanted:
      logging.warning(
        "the model's context has room for %d tokens of a prompt (the longest"
        " has %d) and %d new ones (of %d)",
        *(room, longest, spare, wanted),
      )
  options = {**options, "max_new_tokens": spare}
  before = len(generator.model.spec.specials.before)
  order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
  texts_by_prompt: list[list[str]] = [[] for _ in texts]
  for start in progress(range(0, len(order), size)):
    some = order[start : start + size]
    number = (seed * 1_000_003 + start) % 2**31
    own = Generation(**{**options, "seed": number})
    chosen = [texts[i] for i in some]
    # As many rows in the last batch, so that it has no program of its own.
    chosen += chosen[-1:] * (size - len(chosen) if len(order) > size else 0)
    ids = prompts.encode(generator.model, chosen, room, "left")
    if bare:
      ids = [each[before:] or each for each in ids]
    for result in generator.continue_ids(ids, own):
      if result.prompt < len(some):
        texts_by_prompt[some[result.prompt]].append(result.text)
  return texts_by_prompt
