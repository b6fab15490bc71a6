"""Reads entities, relations and triples from texts by fine-tuned models."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import regex

from lm_jax.apps.graph import graph as graph_lib
from lm_jax.apps.graph.graph import Fact, Graph, Mention
from lm_jax.data.text import sentences
from lm_jax.data.words import SPACED, UNSPACED
from lm_jax.examples import conll, semeval, text_pairs
from lm_jax.examples.forms import Example, Rewriting, Tagged
from lm_jax.finetuning.dataset import find_kind, find_task
from lm_jax.support.errors import UsageError

# Labels of a pair that say that there is no relation.
NO_RELATION = frozenset({semeval.OTHER, "no_relation", "NA", "none"})
# A sentence with more entities is a list; its pairs say little.
MOST_ENTITIES = 24
# In scripts without spaces a character, as corpora of entities have them.
_LETTER = rf"[_{SPACED}]"
_WORD = regex.compile(
  rf"(?V1)https?://\S+|{UNSPACED}\p{{M}}*"
  rf"|[@#]?{_LETTER}+(?:[-.'’&]{_LETTER}+)*|[^\w\s]"
)


class Found(NamedTuple):
  """An entity in a sentence: first character, end, and kind."""

  start: int
  end: int
  kind: str


def read(texts: Sequence[str], model: Any, relations: Any = None) -> Graph:
  """Reads the graph of some texts.

  Args:
    texts: any; they are read sentence by sentence.
    model: fine-tuned on tagged words (label_tokens), or on triples (respond).
    relations: fine-tuned on pairs marked by <e1> and <e2> (classify), with a
      model that tags words; or None: entities only.

  Raises:
    UsageError: a model of another kind.
  """
  lines = [x for text in texts for x in sentences(text)]
  if model.config.objective == "respond":
    return graph_lib.build([], triples(lines, model))
  by_line = entities(lines, model)
  mentions = [
    Mention(line[one.start : one.end], one.kind)
    for line, inside in zip(lines, by_line, strict=True)
    for one in inside
  ]
  facts = (
    find_relations(lines, by_line, relations) if relations is not None else []
  )
  return graph_lib.build(mentions, facts)


def check(model: Any, relations: Any, flags: tuple[str, str]) -> None:
  """Raises UsageError unless models are of the kinds that `read` takes.

  flags: name them in messages.
  """
  made = model.config.objective
  if made not in ("label_tokens", "respond"):
    raise UsageError(
      f"{flags[0]}: is of --objective={made}; must be a run of finetune on"
      " tagged words (wnut17, conll, ...), or on triples"
    )
  if made == "respond" and model.config.task != "triples":
    raise UsageError(
      f"{flags[0]}: was fine-tuned for {model.config.task or 'no task'}, whose"
      " answers are no triples"
    )
  if relations is None:
    return
  if made == "respond":
    raise UsageError(f"{flags[1]}: {flags[0]} finds the relations itself")
  if relations.config.objective != "classify":
    raise UsageError(
      f"{flags[1]}: is of --objective={relations.config.objective}; must be a"
      " run of finetune on marked pairs (semeval2010t8)"
    )


def entities(lines: Sequence[str], model: Any) -> list[list[Found]]:
  """Finds the entities of each sentence, in order."""
  spans = [[m.span() for m in _WORD.finditer(line)] for line in lines]
  examples = [
    Tagged(str(i), tuple(line[a:b] for a, b in words), ())
    for i, (line, words) in enumerate(zip(lines, spans, strict=True))
  ]
  tags = _answers(model, examples)
  return [
    [
      Found(words[first][0], words[last - 1][1], kind)
      for kind, first, last in conll.entities(tags_of_text)
    ]
    for words, tags_of_text in zip(spans, tags, strict=True)
  ]


def find_relations(
  lines: Sequence[str], found: Sequence[Sequence[Found]], model: Any
) -> list[Fact]:
  """Classifies the relation of each pair of entities of a sentence."""
  pairs = list(_pairs(lines, found))
  examples = [
    Example(str(i), {"text": mark_pair(line, a, b)}, "")
    for i, (line, a, b) in enumerate(pairs)
  ]
  facts = []
  for (line, a, b), label in zip(pairs, _answers(model, examples), strict=True):
    if label in NO_RELATION:
      continue
    relation, _, way = label.partition("(")
    ends = [line[a.start : a.end], line[b.start : b.end]]
    if way == "e2,e1)":
      ends.reverse()
    facts.append(Fact(ends[0], relation, ends[1], line))
  return facts


def _pairs(
  lines: Sequence[str], found: Sequence[Sequence[Found]]
) -> Iterator[tuple[str, Found, Found]]:
  for line, inside in zip(lines, found, strict=True):
    for a, b in itertools.combinations(inside[:MOST_ENTITIES], 2):
      yield line, a, b


def mark_pair(line: str, a: Found, b: Found) -> str:
  """Marks two entities of a sentence, the first of them as e1.

  >>> mark_pair("Bo met Ann.", Found(0, 2, ""), Found(7, 10, ""))
  '<e1>Bo</e1> met <e2>Ann</e2>.'
  """
  return (
    f"{line[: a.start]}<e1>{line[a.start : a.end]}</e1>"
    f"{line[a.end : b.start]}<e2>{line[b.start : b.end]}</e2>{line[b.end :]}"
  )


def triples(lines: Sequence[str], model: Any) -> list[Fact]:
  """Generates the triples of each sentence."""
  examples = [Rewriting(str(i), line, ("",)) for i, line in enumerate(lines)]
  return [
    Fact(*one, line)
    for line, text in zip(lines, _answers(model, examples), strict=True)
    for one in text_pairs.parsed(text)
  ]


def _answers(model: Any, examples: Sequence[Any]) -> list[Any]:
  if not examples:
    return []
  kind = find_kind(model.config.objective)
  return kind.answer(model, find_task(model.config.task), examples)
