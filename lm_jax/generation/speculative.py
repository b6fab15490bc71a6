"""Sampling with a smaller model that guesses ahead.

The smaller one draws a few tokens, the model reads them all at once and keeps
as many as its own distribution allows, so that what comes out is distributed
as if it had drawn each itself. Leviathan et al. 2023, algorithm 1. One text at
a time, since each accepts another number.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lm_jax.generation import filters, session
from lm_jax.generation.search import SearchArgs, SearchConfig, sample
from lm_jax.generation.session import Reader, Text
from lm_jax.models.cache import Cache
from lm_jax.types import Array, Stream


class State(NamedTuple):
  """The state of one text between two rounds.

  text: its last token is read by neither model.
  cache, draft: of the model and of the smaller one.
  chosen: int32, tokens so far.
  finished_R: bool [1].
  logs_S: by slot, the log-probability with which the model chose it.
  proposed, accepted: int32, tokens that the smaller one drew, and those kept.
  """

  text: Text
  cache: Cache
  draft: Cache
  chosen: Array
  finished_R: Array
  logs_S: Array
  proposed: Array
  accepted: Array


def begin(
  readers: tuple[Reader, Reader],
  config: SearchConfig,
  args: SearchArgs,
  inputs: Stream,
  source: Stream | None,
  size: int,
) -> State:
  """Reads the prompt by both models; the model draws the first token."""
  model, smaller = readers
  hidden_1xTxD, text, cache = model.start(inputs, source, size)
  _, _, draft = smaller.start(inputs, source, size)
  logits_1xV = _warped(config, args, model.logits(hidden_1xTxD[:, -1]))
  token_1 = sample(args.key, logits_1xV)
  return State(
    text.append(token_1, jnp.ones(1, bool)),
    cache,
    draft,
    jnp.int32(1),
    session.ended(token_1, config.ends),
    jnp.zeros(size)
    .at[text.length]
    .set(jax.nn.log_softmax(logits_1xV[0])[token_1[0]]),
    jnp.int32(0),
    jnp.int32(0),
  )


def advance(
  readers: tuple[Reader, Reader],
  config: SearchConfig,
  args: SearchArgs,
  state: State,
  until: Array,
) -> State:
  """Runs rounds until `until` tokens are chosen, or the text has ended."""
  return jax.lax.while_loop(
    lambda state: (state.chosen < until) & ~jnp.all(state.finished_R),
    functools.partial(_round, readers, config, args),
    state,
  )


def _round(
  readers: tuple[Reader, Reader],
  config: SearchConfig,
  args: SearchArgs,
  state: State,
) -> State:
  model, smaller = readers
  count = config.static.draft_tokens
  key = jax.random.fold_in(args.key, state.chosen)
  draw_key, accept_key, last_key = jax.random.split(key, 3)
  text, draft = state.text, state.draft
  one = jnp.ones(1, bool)

  drawn, q = [], []
  for i in range(count):
    hidden_1x1xD, draft = smaller.read(text, draft)
    logits = smaller.logits(hidden_1x1xD[:, 0])
    logits_1xV = _warped(config, args, logits)
    token_1 = sample(jax.random.fold_in(draw_key, i), logits_1xV)
    text = text.append(token_1, one)
    drawn.append(token_1[0])
    q.append(jax.nn.softmax(logits_1xV[0]))
  # The last guess is read, too: it may be kept.
  _, draft = smaller.read(text, draft)
  hidden_1xTxD, cache = model.read(text, state.cache, count + 1)
  logits_TxV = _warped(config, args, model.logits(hidden_1xTxD[0]))
  p_TxV = jax.nn.softmax(logits_TxV, axis=1)
  q_GxV, drawn_G = jnp.stack(q), jnp.stack(drawn)

  at_G = jnp.arange(count)
  ratio_G = p_TxV[at_G, drawn_G] / q_GxV[at_G, drawn_G]
  kept_G = jax.random.uniform(accept_key, (count,)) < ratio_G
  kept = jnp.sum(jnp.cumprod(kept_G.astype(jnp.int32)))
  # Where a guess is refused, what the smaller one gave too little of.
  refused_V = jnp.where(
    kept < count,
    jnp.maximum(p_TxV[kept] - q_GxV[jnp.minimum(kept, count - 1)], 0.0),
    p_TxV[kept],
  )
  last_1 = sample(last_key, jnp.log(refused_V)[None])

  log_TxV = jax.nn.log_softmax(logits_TxV, axis=1)
  first = state.text.length
  logs_S = jax.lax.dynamic_update_slice(
    state.logs_S, log_TxV[at_G, drawn_G], (first,)
  )
  logs_S = logs_S.at[first + kept].set(log_TxV[kept, last_1[0]])

  # The slots behind it are written again: no token sees them until then.
  length = first + kept
  text = Text(
    text.tokens_BxS,
    text.real_BxS & (jnp.arange(text.real_BxS.shape[1]) < length)[None],
    length,
  ).append(last_1, one)
  ended_G = session.ended(drawn_G, config.ends) & (at_G < kept)
  finished = jnp.any(ended_G) | session.ended(last_1, config.ends)
  return State(
    text,
    dataclasses.replace(cache, index=length),
    dataclasses.replace(draft, index=length),
    state.chosen + kept + 1,
    state.finished_R | finished,
    logs_S,
    state.proposed + count,
    state.accepted + kept,
  )


def _warped(config: SearchConfig, args: SearchArgs, logits_NxV: Array) -> Array:
  """Returns logits to sample from; the best token alone if greedy."""
  if config.static.do_sample:
    return filters.warp(logits_NxV, config.static, args.values)
  best_N = jnp.argmax(logits_NxV, axis=1)
  best_NxV = jax.nn.one_hot(best_N, logits_NxV.shape[1], dtype=bool)
  return jnp.where(best_NxV, 0.0, -jnp.inf)


def acceptance(state: Any) -> tuple[int, int]:
  """Returns the number of guesses kept, and of all guesses."""
  return int(state.accepted), int(state.proposed)
