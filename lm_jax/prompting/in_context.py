"""Measures in-context learning: accuracy with k examples in the prompt.

Brown et al. 2020, section 2: no parameter changes; what the model knows of the
task is its description and k examples.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from lm_jax.examples.labelled import Example
from lm_jax.examples.records import chosen as chosen
from lm_jax.prompting import corrections, reasoning
from lm_jax.prompting.pairs import ChoiceScorer, Pair
from lm_jax.prompting.prompt import Prompt, Prompter
from lm_jax.prompting.reasoning import Writer
from lm_jax.prompting.shots import Draw
from lm_jax.statistics import differences
from lm_jax.statistics import items as items_lib
from lm_jax.statistics.estimates import Estimate
from lm_jax.support.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Prediction:
  """A model's answer to an item.

  shots: ids of the examples in its prompt.
  scores: by correction, of each choice; {} where text was generated.
  predicted: by correction, a label; of generated text under "vote", None
    where no answer was found.
  right: 1.0, 0.0, or a share where choices have equal scores.
  """

  draw: int
  id: str
  label: str
  shots: tuple[str, ...]
  scores: dict[str, list[float]]
  predicted: dict[str, str | None]
  right: dict[str, float]
  texts: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Result:
  """The results of one number of shots.

  accuracy: by correction, with an interval over items, and over draws too
    where there are several.
  metrics: what else is customary for the task, by correction.
  dropped: shots that did not fit, of all.
  cut: items that did not fit alone, of all; they lost tokens.
  """

  shots: int
  draws: int
  items: int
  accuracy: dict[str, Estimate]
  metrics: dict[str, dict[str, float]]
  dropped: float
  cut: float
  predictions: tuple[Prediction, ...]


class _Asked(NamedTuple):
  """An item to ask: its prompt, and the further prompts of corrections."""

  item: Example
  prompt: Prompt
  choices: list[str]
  free: list[str]


def require_examples(task: str, train: Sequence[Example], shots: int) -> None:
  """Raises UsageError unless there are at least `shots` examples."""
  if shots and not train:
    raise UsageError(
      f"--shots={shots}: {task} has no training split to take examples from"
    )
  if shots > len(train):
    raise UsageError(
      f"--shots={shots}: the training split of {task} has {len(train)} examples"
    )


def measure(
  prompter: Prompter,
  judge: ChoiceScorer | Writer,
  train: Sequence[Example],
  items: Sequence[Example],
  shots: int,
  draws: int,
  seed: int,
) -> Result:
  """Asks a model all items, with `shots` examples in each prompt.

  Args:
    prompter: of the task.
    judge: scores choices, or writes.
    train: where examples come from.
    items: not empty.
    shots: k.
    draws: sets of examples; one is enough for none.
    seed: of the draws.

  Raises:
    UsageError: there are no examples.
  """
  require_examples(prompter.task.name, train, shots)
  if not shots and not isinstance(judge, Writer):
    draws = 1
  predictions: list[Prediction] = []
  dropped = cut = 0
  for number in range(draws):
    draw = Draw(train, seed, number)
    if isinstance(judge, Writer):
      asked = [_written(prompter, judge, draw, item, shots) for item in items]
      predictions += _write(prompter, judge, asked, seed, number)
    else:
      known: dict[Any, str] = {}
      asked = [
        _scored(prompter, judge, draw, item, shots, known) for item in items
      ]
      predictions += _judge(prompter, judge, asked, number)
    dropped += sum(a.prompt.dropped for a in asked)
    cut += sum(a.prompt.cut for a in asked)
  total = draws * len(items)
  return Result(
    shots=shots,
    draws=draws,
    items=len(items),
    accuracy=_accuracy(predictions, draws, len(items)),
    metrics=_metrics(prompter, predictions, draws),
    dropped=dropped / max(total * shots, 1),
    cut=cut / total,
    predictions=tuple(predictions),
  )


def _scored(
  prompter: Prompter,
  judge: ChoiceScorer,
  draw: Draw,
  item: Example,
  shots: int,
  known: dict[Any, str],
) -> _Asked:
  """Prepares an item; `known` keeps content-free prompts, mostly shared."""
  template = prompter.template
  examples = draw.examples(shots, item)
  choices = [template.prefix + text for text in prompter.choices(item)]
  fields = prompter.fields(item)
  prompt = prompter.prompt(fields, choices, examples, judge)
  free = []
  for content in template.calibration:
    without = {**fields, **content}
    key = prompter.bare(without), prompt.shots_ids, tuple(choices)
    if key not in known:
      rendered = prompter.prompt(without, choices, prompt.shots, judge)
      known[key] = rendered.text
    free.append(known[key])
  return _Asked(item, prompt, choices, free)


def _judge(
  prompter: Prompter, judge: ChoiceScorer, asked: Sequence[_Asked], number: int
) -> Iterator[Prediction]:
  energy = judge.kind == "energy"  # is no probability
  neutral = prompter.neutral
  pairs: list[Pair] = []
  for a in asked:
    prompts = [a.prompt.text, *([] if energy else [neutral, *a.free])]
    pairs += [Pair(p, choice) for p in prompts for choice in a.choices]
  scored = judge.scores(pairs)
  at = 0
  for a in asked:
    count = len(a.choices)
    size = count * (1 if energy else 2 + len(a.free))
    sums = scored.sums[at : at + size].reshape(-1, count)
    tokens_C = scored.tokens[at : at + count]
    at += size
    bytes_C = np.array([len(c.strip(" ").encode()) for c in a.choices])
    scores = {
      "none": sums[0],
      "token": corrections.per_token(sums[0], tokens_C),
      "byte": corrections.per_byte(sums[0], np.maximum(bytes_C, 1)),
    }
    if not energy:
      scores["unconditional"] = corrections.unconditional(sums[0], sums[1])
    if not energy and a.free:
      scores["calibrated"] = corrections.calibrated(sums[0], sums[2:])
    place = prompter.place(a.item)
    best = {name: np.flatnonzero(s == s.max()) for name, s in scores.items()}
    yield Prediction(
      draw=number,
      id=a.item.id,
      label=a.item.label,
      shots=a.prompt.shots_ids,
      scores={name: s.tolist() for name, s in scores.items()},
      predicted={name: prompter.labels[b[0]] for name, b in best.items()},
      right={name: float(place in b) / len(b) for name, b in best.items()},
    )


def _written(
  prompter: Prompter, writer: Writer, draw: Draw, item: Example, shots: int
) -> _Asked:
  examples = draw.examples(shots, item)
  fields = prompter.fields(item)
  prompt = prompter.prompt(fields, ("",), examples, writer, writer.spare)
  return _Asked(item, prompt, [], [])


def _write(
  prompter: Prompter,
  writer: Writer,
  asked: Sequence[_Asked],
  seed: int,
  number: int,
) -> Iterator[Prediction]:
  task, pattern = prompter.task, prompter.template.answer_pattern
  texts = writer.write([a.prompt.text for a in asked], seed + number)
  for a, written in zip(asked, texts, strict=True):
    answers = (reasoning.answer(text, pattern) for text in written)
    voted = reasoning.vote(
      None if answer is None else prompter.read(answer) for answer in answers
    )
    wanted = a.item.label if prompter.labels else task.normal(a.item.label)
    yield Prediction(
      draw=number,
      id=a.item.id,
      label=a.item.label,
      shots=a.prompt.shots_ids,
      scores={},
      predicted={"vote": voted},
      right={"vote": float(voted == wanted)},
      texts=tuple(written),
    )


def _accuracy(
  found: Sequence[Prediction], draws: int, items: int
) -> dict[str, Estimate]:
  """Computes accuracies with intervals for other items, and other draws."""
  estimates = {}
  for name in found[0].right:
    right_NxI = np.array([p.right[name] for p in found]).reshape(draws, items)
    estimates[name] = (
      items_lib.item_interval(right_NxI[0])
      if draws == 1
      else differences.mean(right_NxI, fraction=True, least=2)
    )
  return estimates


def _metrics(
  prompter: Prompter, found: Sequence[Prediction], draws: int
) -> dict[str, dict[str, float]]:
  """Averages the task's further metrics over draws."""
  means: dict[str, dict[str, float]] = {}
  for name in found[0].right:
    parts: list[dict[str, Any]] = []
    for number in range(draws):
      of_draw = [p for p in found if p.draw == number]
      predicted = [p.predicted[name] or "" for p in of_draw]
      right = [Example(p.id, {}, p.label) for p in of_draw]
      parts.append(prompter.task.measures(predicted, right))
    means[name] = {
      metric: float(np.mean([part[metric] for part in parts]))
      for metric in parts[0]
    }
  return means
