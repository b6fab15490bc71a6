"""Texts answered by texts, which are generated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lm_jax.data.tokenizer import Tokenizer
from lm_jax.examples.forms import Example, Rewriting
from lm_jax.finetuning.heads import _reading, base
from lm_jax.finetuning.heads.base import NO_LABEL, Encoded, Item
from lm_jax.support.errors import UsageError
from lm_jax.types import ABSENT

# Answers that are generated together.
BATCH = 64


class Respond(base.Kind):
  """One item an example: its source, and its first right answer.

  A task of labels is asked for as text: its fields by name, and the label's
  name as the answer (Raffel et al. 2020, section 2.4). Between several pairs
  of languages two tokens in front of the source name them: M2M-100's own
  where the tokenizer has those, else sentinels, in the order of the codes.
  """

  def options(self, task: Any, train: Sequence[Any]) -> Mapping[str, Any]:
    return {"languages": languages_of(train)}

  def texts(self, task: Any, examples: Sequence[Any]) -> Iterator[str]:
    for example in examples:
      yield source_of(task, example)
      yield answer_of(task, example)

  def encode(self, task, examples, tokenizer, length, options) -> Encoded:
    most, paired = options["answer_length"], options["paired"]
    end = tokenizer.specials.end
    contexts = _contexts(
      *(task, examples, tokenizer, length - most, options["languages"], paired)
    )
    targets = _reading.encode_all(
      tokenizer, [answer_of(task, example) for example in examples]
    )
    items, cut = [], 0
    for number, (read, ids) in enumerate(zip(contexts, targets, strict=True)):
      answer = np.append(ids[: most - 1], end).astype(np.int32)
      none = np.full(len(read.tokens), NO_LABEL, np.int32)
      items.append(Item(number, read.tokens, read.text, none, answer))
      cut += read.cut or len(ids) > most - 1
    return Encoded(items, cut)

  def answer(self, model: Any, task: Any, examples: Sequence[Any]) -> list[str]:
    from lm_jax.generation.generate import Generator
    from lm_jax.generation.options import Generation

    objective = model.objective
    most = objective.answer_length
    contexts = _contexts(
      *(task, examples, model.tokenizer, model.spec.length - most),
      *(objective.languages, model.spec.architecture == "encoder_decoder"),
    )
    generator = Generator(model)
    options = Generation(max_new_tokens=most, num_beams=objective.beams)
    answers = [""] * len(contexts)
    # Texts of like length together: none waits long for the others.
    by_length = sorted(range(len(contexts)), key=lambda i: len(contexts[i][0]))
    for start in range(0, len(by_length), BATCH):
      chosen = by_length[start : start + BATCH]
      # One shape serves all batches.
      filled = chosen + chosen[:1] * (BATCH - len(chosen))
      ids = [contexts[i].tokens.tolist() for i in filled]
      texts = generator.continue_ids(ids, options)
      for i, result in zip(chosen, texts, strict=False):
        answers[i] = result.text.strip()
    return answers


def source_of(task: Any, example: Example | Rewriting) -> str:
  """Returns an example's question as text."""
  if isinstance(example, Rewriting):
    return example.source
  fields = " ".join(f"{name}: {text}" for name, text in example.fields.items())
  return f"{task.name} {fields}"


def answer_of(task: Any, example: Example | Rewriting) -> str:
  """Returns the right answer that is learnt."""
  if isinstance(example, Rewriting):
    return example.references[0]
  return task.written(example)


def languages_of(examples: Sequence[Any]) -> tuple[str, ...]:
  """The codes of the languages, sorted; () where all are of one pair."""
  pairs = {
    (example.source_language, example.target_language)
    for example in examples
    if isinstance(example, Rewriting)
  }
  if len(pairs) < 2:
    return ()
  return tuple(sorted({code for pair in pairs for code in pair}))


def language_tokens(
  languages: Sequence[str], tokenizer: Tokenizer
) -> dict[str, int]:
  """The token of each language.

  Raises:
    UsageError: the tokenizer has too few.
  """
  by_language = {
    code: i
    for code in languages
    for name, i in tokenizer.languages.items()
    if code in (name, name.partition("_")[0])
  }
  if len(by_language) == len(languages):
    return by_language
  specials = tokenizer.specials
  if len(languages) > specials.sentinels:
    raise UsageError(
      f"--data.sentinels={specials.sentinels}: {len(languages)} languages need"
      " as many, each a token of its own"
    )
  first, step = specials.first_sentinel, specials.sentinel_step
  return {code: first + step * i for i, code in enumerate(languages)}


def _contexts(
  task: Any,
  examples: Sequence[Any],
  tokenizer: Tokenizer,
  room: int,
  languages: Sequence[str],
  paired: bool,
) -> list[_reading.Reading]:
  """Encodes what is read of each example before the answer.

  paired: an encoder reads it, and the end of the text is marked.
  """
  if tokenizer.specials.end == ABSENT:
    raise UsageError(
      f"--task={task.name}: the tokenizer has no token that ends an answer"
    )
  sources = _reading.encode_all(
    tokenizer, [source_of(task, example) for example in examples]
  )
  tokens = language_tokens(languages, tokenizer)
  contexts = []
  for example, ids in zip(examples, sources, strict=True):
    if tokens:
      pair = example.source_language, example.target_language
      for code in pair:
        if code not in tokens:
          raise UsageError(
            f"example {example.id}: language {code!r} was never seen in"
            f" training; the model knows {', '.join(tokens)}"
          )
      ahead = [tokens[code] for code in pair]
      ids = np.concatenate([ahead, ids]).astype(np.int32)
    contexts.append(_reading.joined(tokenizer, [ids], room, end=paired))
  return contexts
