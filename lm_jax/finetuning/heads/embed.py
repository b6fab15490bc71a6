"""Queries and passages near each other, answered by a search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lm_jax.data.tokenizer import Tokenizer
from lm_jax.examples.searches import Search
from lm_jax.finetuning.heads import _reading, base
from lm_jax.finetuning.heads.base import NO_LABEL, Encoded, Item
from lm_jax.inference import score
from lm_jax.objectives import _supervised
from lm_jax.objectives.embed import NEGATIVE, PASSAGE, QUERY
from lm_jax.retrieval.ranking import Ranking
from lm_jax.support.errors import UsageError

# Of a ranking that is judged: what the deepest usual measure looks at.
DEPTH = 100


class Embed(base.Kind):
  """One item a pair: the query, a passage that answers it, its negatives.

  So they stand next to each other in a row. Item.label tells what a text is,
  and Item.text is its number among all texts of the split. A pair that is too
  long for a row loses tokens of its longest text, as often as need be, and is
  counted.
  """

  def texts(self, task: Any, examples: Sequence[Search]) -> Iterator[str]:
    for search in examples:
      yield from (search.query, *search.positives, *search.negatives)

  def encode(self, task, examples, tokenizer, length, options) -> Encoded:
    numbers: dict[str, int] = {}
    for text in self.texts(task, examples):
      numbers.setdefault(text, len(numbers))
    ids = _reading.encode_all(tokenizer, list(numbers))
    items, cut = [], 0
    for number, search in enumerate(examples):
      for positive in search.positives:
        texts = (search.query, positive, *search.negatives)
        chosen = [numbers[text] for text in texts]
        where = f"{task.name}, example {search.id}"
        item, is_cut = _item(number, chosen, ids, tokenizer, length, where)
        items.append(item)
        cut += is_cut
    return Encoded(items, cut)

  def answer(self, model, task, examples) -> list[Ranking]:
    """Ranks the documents of each query's collection, best first."""
    from lm_jax.retrieval import dense

    scorer = score.Scorer(model)
    rankings: dict[tuple[int, str], Ranking] = {}
    held = {id(x.collection): x.collection for x in examples}
    for key, collection in held.items():
      if collection is None:
        raise UsageError(f"{task.name}: its examples are of no collection")
      queries = {x.id: x.query for x in examples if x.collection is collection}
      run = dense.search(scorer, collection, queries, DEPTH)
      rankings |= {(key, name): ranking for name, ranking in run.items()}
    return [rankings[id(x.collection), x.id] for x in examples]


def _item(
  example: int,
  numbers: Sequence[int],
  ids: Sequence[np.ndarray],
  tokenizer: Tokenizer,
  length: int,
  where: str,
) -> tuple[Item, bool]:
  """Encodes a pair, and returns whether it lost tokens."""
  before, after = tokenizer.specials.before, tokenizer.specials.after
  room = length - len(numbers) * (len(before) + len(after))
  if length < _supervised.SHORTEST * len(numbers):
    room = 0
  sizes = [len(ids[number]) for number in numbers]
  kept = fitting(sizes, room)
  if min(kept) < 1:
    if min(sizes) < 1:
      raise UsageError(f"{where}: a text has no token")
    raise UsageError(
      f"{where}: --length={length} has no room for its {len(numbers)} texts"
    )
  roles = [QUERY, PASSAGE, *[NEGATIVE] * (len(numbers) - 2)]
  tokens, text, label = [], [], []
  for number, role, size in zip(numbers, roles, kept, strict=True):
    whole = [*before, *ids[number][:size].tolist(), *after]
    tokens += whole
    text += [number] * len(whole)
    label += [role] * len(whole)
  # A row has room for one text in so many tokens; shorter ones take more.
  spare = _supervised.SHORTEST * len(numbers) - len(tokens)
  tokens += tokens[:1] * spare
  text += text[-1:] * spare
  label += [NO_LABEL] * spare
  arrays = (np.array(values, np.int32) for values in (tokens, text, label))
  return Item(example, *arrays), kept != sizes


def fitting(sizes: Sequence[int], room: int) -> list[int]:
  """Sizes of at most `room` in all, the longest cut to one size.

  >>> fitting([5, 30, 9], 24)
  [5, 10, 9]
  """
  if sum(sizes) <= room:
    return list(sizes)
  left, kept = room, [0] * len(sizes)
  order = sorted(range(len(sizes)), key=lambda i: sizes[i])
  for rank, i in enumerate(order):
    kept[i] = max(0, min(sizes[i], left // (len(order) - rank)))
    left -= kept[i]
  return kept
