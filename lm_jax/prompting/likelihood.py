"""log p(choice | prompt) of generative models.

The prompt is laid out as for generation, so that a score is the probability
of generating the choice: causal models read the text, a prefix decoder sees
the prompt both ways, and an encoder-decoder reads the prompt in its encoder
and the choice in its decoder. A prompt is read once for all of its choices.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from lm_jax.devices import sharding
from lm_jax.generation import prompts, session
from lm_jax.generation.session import Reader, Text
from lm_jax.loaded_model import Trained
from lm_jax.models.unrolled import unrolled
from lm_jax.prompting import pairs as pairs_lib
from lm_jax.prompting.pairs import Pair, Scores, Splitter
from lm_jax.support.errors import UsageError

# Slots for a choice.
_CHOICE = (1, 4, 8, 16, 32, 64, 128)
_MOST_CHOICES = 16  # that are read together

Ids = tuple[int, ...]
# By context and choice: log p of the choice, and whether it is the likeliest.
Groups = dict[Ids, dict[Ids, tuple[float, bool]]]


class Likelihood:
  """A lm_jax.prompting.pairs.ChoiceScorer.

  Args:
    model: generative, with a tokenizer.

  Raises:
    UsageError: it can't.
  """

  kind = "log_likelihood"

  def __init__(self, model: Trained):
    prompts.require_generator(model)
    self._model = model
    self._network, self._params = unrolled(model.measuring, model.params)
    self._tokenizer = model.require_tokenizer()
    self._splitter = Splitter(self._tokenizer)
    self._paired = model.spec.architecture == "encoder_decoder"
    self.room = prompts.context(model)
    self._spare = self._extra()
    self._programs: set[tuple[int, ...]] = set()

  @property
  def programs(self) -> int:
    return len(self._programs)

  def size(self, prompt: str, choices: Iterable[str]) -> int:
    """Counts the tokens read of a prompt with its longest choice."""
    splits = [self._split(Pair(prompt, choice)) for choice in choices]
    if self._paired:
      return self._spare + max(
        max(len(context), len(choice)) for context, choice in splits
      )
    # The last token is scored and not read.
    return self._spare + max(len(a) + len(b) - 1 for a, b in splits)

  def scores(self, pairs: Sequence[Pair]) -> Scores:
    """Scores each pair; equal ones are computed once."""
    return self.scores_of_ids([self._split(pair) for pair in pairs])

  def scores_of_ids(self, pairs: Sequence[tuple[Ids, Ids]]) -> Scores:
    """Scores choices like `scores`; prompts are ids with special tokens.

    Raises:
      UsageError: a prompt or a choice has no tokens.
    """
    for context, choice in pairs:
      if not context or not choice:
        what = "choice" if context else "prompt"
        raise UsageError(f"{what}: has no tokens, and no likelihood")
    split = [self._fitted(*pair) for pair in pairs]
    groups: Groups = {}
    for context, choice in split:
      groups.setdefault(context, {})[choice] = 0.0, False
    for batch, slots in pairs_lib.progress(self._batches(groups)):
      self._read(batch, slots, groups)
    results = [groups[context][choice] for context, choice in split]
    return Scores(
      sums=np.array([total for total, _ in results], np.float64),
      tokens=np.array([len(choice) for _, choice in split], np.int64),
      greedy=np.array([likeliest for _, likeliest in results], bool),
      cut=sum(a[0] != b[0] for a, b in zip(pairs, split, strict=True)),
    )

  def _extra(self) -> int:
    """Tokens that the layout of a decoder adds to a prompt."""
    if self._paired:
      return 0
    ids = [*self._model.spec.specials.before, *self._tokenizer.encode("a")]
    read = prompts.lay_out(self._model, [ids]).inputs
    return int((np.asarray(read.segment_BxT) > 0).sum()) - len(ids)

  def _split(self, pair: Pair) -> tuple[Ids, Ids]:
    """Encodes the prompt, with special tokens, and the choice."""
    specials = self._model.spec.specials
    if self._paired:  # Two texts.
      context = self._tokenizer.encode(pair.prompt)
      choice = self._tokenizer.encode(pair.choice.lstrip(" "))
      if not choice:
        raise pairs_lib.no_tokens(pair)
      return (*specials.before, *context, *specials.after), tuple(choice)
    context, choice = self._splitter.ids(pair)
    whole = (*specials.before, *context)
    if not whole:
      raise UsageError("prompt: is empty, and the model has no start token")
    return whole, tuple(choice)

  def _fitted(self, context: Ids, choice: Ids) -> tuple[Ids, Ids]:
    """Cuts the context on its left, so that the choice fits."""
    if not self.room:
      return context, choice
    read = 0 if self._paired else len(choice) - 1
    keep = self.room - self._spare - read
    if len(context) <= keep:
      return context, choice
    before = self._model.spec.specials.before
    if keep <= len(before):
      raise UsageError(
        f"a choice of {len(choice)} tokens: the model reads {self.room}"
      )
    end = len(context) - (keep - len(before))
    return (*before, *context[end:]), choice

  def _batches(self, groups: Groups):
    """Batches contexts of at most _MOST_CHOICES choices, by size."""
    sized: dict[tuple[int, int], list[tuple[Ids, list[Ids]]]] = {}
    for context, choices in groups.items():
      listed = sorted(choices, key=len)
      for start in range(0, len(listed), _MOST_CHOICES):
        some = listed[start : start + _MOST_CHOICES]
        key = pairs_lib.slots(len(context)), _choice_slots(len(some[-1]))
        sized.setdefault(key, []).append((context, some))
    for (slots, choice), members in sorted(sized.items()):
      size = pairs_lib.batch(slots if choice == 1 else slots + 8 * choice)
      for start in range(0, len(members), size):
        batch = members[start : start + size]
        yield batch + batch[:1] * (size - len(batch)), (slots, choice)

  def _read(
    self,
    batch: list[tuple[Ids, list[Ids]]],
    slots: tuple[int, int],
    groups: Groups,
  ) -> None:
    """Puts the scores of a batch into `groups`."""
    rows = [
      (parent, choice)
      for parent, (_, choices) in enumerate(batch)
      for choice in choices
    ]
    # As many rows as any such batch may have, in a few sizes.
    most = max(len(choices) for _, choices in batch) * len(batch)
    choices_RxA = np.zeros((most, slots[1]), np.int32)
    parent_R = np.zeros(most, np.int32)
    for row, (parent, choice) in enumerate(rows):
      choices_RxA[row, : len(choice)] = choice
      parent_R[row] = parent
    contexts = [list(context) for context, _ in batch]
    problem = prompts.lay_out(self._model, contexts, slots=slots[0])
    self._programs.add((*slots, len(batch), most))
    run = _compiled(self._network)
    outputs = run(
      self._params, problem.inputs, problem.source, choices_RxA, parent_R
    )
    logs_RxA, likeliest_RxA = map(sharding.fetch, outputs)
    logs_RxA = logs_RxA.astype(np.float64)
    for row, (parent, choice) in enumerate(rows):
      own = slice(len(choice))
      groups[batch[parent][0]][choice] = (
        float(logs_RxA[row, own].sum()),
        bool(likeliest_RxA[row, own].all()),
      )


def _choice_slots(length: int) -> int:
  for size in _CHOICE:
    if length <= size:
      return size
  return -(-length // _CHOICE[-1]) * _CHOICE[-1]


@functools.lru_cache(maxsize=8)
def _compiled(network: nn.Module) -> Any:
  @jax.jit
  def run(params, inputs, source, choices_RxA, parent_R):
    """Returns each choice token's log p, float32 [R, A], and if it is best."""
    with jax.default_matmul_precision("highest"):
      size = choices_RxA.shape[1]
      reader = Reader(network, params)
      slots = inputs.tokens_BxT.shape[1] + size
      hidden_BxTxD, text, cache = reader.start(inputs, source, slots)
      logits_BxV = reader.logits(hidden_BxTxD[:, -1])
      first_R = choices_RxA[:, 0]
      logs_R = jax.nn.log_softmax(logits_BxV)[parent_R, first_R]
      likeliest_R = jnp.argmax(logits_BxV, axis=1)[parent_R] == first_R
      if size == 1:
        return logs_R[:, None], likeliest_R[:, None]
      batch = inputs.tokens_BxT.shape[0]
      text, cache = session.rows((text, cache), batch, parent_R)
      at = (jnp.int32(0), text.length)
      read_RxN = choices_RxA[:, :-1]
      text = Text(
        jax.lax.dynamic_update_slice(text.tokens_BxS, read_RxN, at),
        jax.lax.dynamic_update_slice(
          text.real_BxS, jnp.ones_like(read_RxN, bool), at
        ),
        text.length + size - 1,
      )
      hidden_RxNxD, _ = reader.read(text, cache, size - 1)

      def score_place(place):
        # Logits of one place at a time: of all they are [R, N, V].
        hidden_RxD, token_R = place
        logits_RxV = reader.logits(hidden_RxD)
        logs_RxV = jax.nn.log_softmax(logits_RxV)
        found_R = jnp.take_along_axis(logs_RxV, token_R[:, None], axis=1)[:, 0]
        return found_R, jnp.argmax(logits_RxV, axis=1) == token_R

      places = hidden_RxNxD.swapaxes(0, 1), choices_RxA[:, 1:].T
      logs_NxR, likeliest_NxR = jax.lax.map(score_place, places)
      return (
        jnp.concatenate([logs_R[:, None], logs_NxR.T], axis=1),
        jnp.concatenate([likeliest_R[:, None], likeliest_NxR.T], axis=1),
      )

  return run
