"""Beam search, plain and diverse, as Transformers defines the plain one."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from lm_jax.generation import filters, session
from lm_jax.generation.search import SearchArgs, SearchConfig
from lm_jax.generation.session import Reader, Text
from lm_jax.models.cache import Cache
from lm_jax.types import Array, Stream

# What is out of the question; finite, so that sums with it stay ordered.
_NO = -1e9


class State(NamedTuple):
  """The state between two steps; G groups of N beams for each of B prompts.

  text, cache: of B * G * N rows, the running beams.
  running_BxGxN: sums of their log-probabilities.
  done_BxGxNxL: the best finished texts, new tokens only; their scores, sizes,
    and whether there are any.
  improving_BxG: whether a running beam may still become better than these.
  unfinished: whether any prompt is not done.
  """

  text: Text
  cache: Cache
  chosen: Array
  running_BxGxN: Array
  done_BxGxNxL: Array
  scores_BxGxN: Array
  sizes_BxGxN: Array
  finished_BxGxN: Array
  improving_BxG: Array
  unfinished: Array


def begin(
  reader: Reader,
  config: SearchConfig,
  args: SearchArgs,
  inputs: Stream,
  source: Stream | None,
  size: int,
) -> State:
  """Reads the prompts and makes the first step."""
  hidden_BxTxD, text, cache = reader.start(inputs, source, size)
  logits_BxV = reader.logits(hidden_BxTxD[:, -1])
  batch, length = inputs.tokens_BxT.shape
  groups = config.static.num_beam_groups
  each = config.static.num_beams // groups
  shape = (batch, groups, each)
  # All beams are alike at first: only the first of a group counts.
  running = jnp.full(shape, _NO, jnp.float32).at[:, :, 0].set(0.0)
  text, cache = session.repeated((text, cache), batch, groups * each)
  state = State(
    text=text,
    cache=cache,
    chosen=jnp.int32(0),
    running_BxGxN=running,
    done_BxGxNxL=jnp.full((*shape, size - length), config.pad, jnp.int32),
    scores_BxGxN=jnp.full(shape, _NO, jnp.float32),
    sizes_BxGxN=jnp.zeros(shape, jnp.int32),
    finished_BxGxN=jnp.zeros(shape, bool),
    improving_BxG=jnp.ones(shape[:2], bool),
    unfinished=jnp.bool(True),
  )
  logits_RxV = session.repeated(logits_BxV, batch, groups * each)
  return _step(config, args, state, logits_RxV)


def advance(
  reader: Reader,
  config: SearchConfig,
  args: SearchArgs,
  state: State,
  until: Array,
) -> State:
  """Advances until the search is over, or `until` tokens are chosen."""

  def step(state: State) -> State:
    hidden_Rx1xD, cache = reader.read(state.text, state.cache)
    logits_RxV = reader.logits(hidden_Rx1xD[:, 0])
    return _step(config, args, state._replace(cache=cache), logits_RxV)

  return jax.lax.while_loop(
    lambda state: state.unfinished & (state.chosen < until), step, state
  )


def _step(
  config: SearchConfig, args: SearchArgs, state: State, logits_RxV: Array
) -> State:
  static, values = config.static, args.values
  batch, groups, each = state.running_BxGxN.shape
  past = state.text.past(state.chosen, args.limit - state.chosen, args.begin)
  log_RxV = jax.nn.log_softmax(logits_RxV, axis=1)
  log_RxV = filters.constrain(
    log_RxV, past, static, values, config.ends, args.least
  )
  if static.do_sample:
    keep = len(config.ends) + 1
    log_RxV = filters.warp(log_RxV, static, values, keep)
  if static.renormalize_logits:
    log_RxV = jax.nn.log_softmax(log_RxV, axis=1)
  vocabulary = log_RxV.shape[1]
  log_BxGxNxV = log_RxV.reshape(batch, groups, each, vocabulary)
  key = jax.random.fold_in(args.key, state.chosen)
  taken_BxV = jnp.zeros((batch, vocabulary), jnp.float32)
  rows_Bx1 = jnp.arange(batch)[:, None]
  results = []
  for group in range(groups):
    log_BxNxV = log_BxGxNxV[:, group]
    if group:
      less_BxV = values["diversity_penalty"] * taken_BxV
      log_BxNxV = log_BxNxV - less_BxV[:, None]
    result = _one_group(config, args, state, group, log_BxNxV, key)
    results.append(result)
    taken_BxV = taken_BxV.at[rows_Bx1, result.token_BxN].add(1.0)
  new_groups = jax.tree.map(lambda *parts: jnp.stack(parts, axis=1), *results)

  # The beams that go on, and with them their texts and caches.
  first_B = jnp.arange(batch) * groups * each
  first_BxG = first_B[:, None] + jnp.arange(groups)[None] * each
  source_R = (first_BxG[:, :, None] + new_groups.parent_BxN).reshape(-1)
  # All else in the cache is the same for all beams of a prompt.
  count = len(source_R)
  layers = session.rows(state.cache.layers, count, source_R)
  cache = dataclasses.replace(state.cache, layers=layers)
  text = session.rows(state.text, count, source_R)
  token_R = new_groups.token_BxN.reshape(-1)
  text = text.append(token_R, jnp.ones_like(token_R, bool))

  chosen = state.chosen + 1
  never = static.early_stopping == "never"
  farthest = jnp.where(
    never & (values["length_penalty"] > 0), args.limit, chosen
  )
  best_BxG = new_groups.running_BxN[:, :, 0] / (
    farthest.astype(jnp.float32) ** values["length_penalty"]
  )
  worst_BxG = jnp.min(new_groups.scores_BxN, axis=2)
  worst_BxGxN = jnp.where(new_groups.finished_BxN, worst_BxG[:, :, None], _NO)
  better_BxG = jnp.any(best_BxG[:, :, None] > worst_BxGxN, axis=2)
  improving_BxG = state.improving_BxG & better_BxG
  unfinished = jnp.any(improving_BxG) & ~jnp.all(new_groups.ends_BxK)
  if static.early_stopping == "true":
    unfinished = unfinished & ~jnp.all(new_groups.finished_BxN)
  return State(
    text=text,
    cache=cache,
    chosen=chosen,
    running_BxGxN=new_groups.running_BxN,
    done_BxGxNxL=new_groups.done_BxNxL,
    scores_BxGxN=new_groups.scores_BxN,
    sizes_BxGxN=new_groups.sizes_BxN,
    finished_BxGxN=new_groups.finished_BxN,
    improving_BxG=improving_BxG,
    unfinished=unfinished,
  )


class _Found(NamedTuple):
  """A step's results of one group: running beams and finished ones."""

  token_BxN: Array
  parent_BxN: Array
  running_BxN: Array
  done_BxNxL: Array
  scores_BxN: Array
  sizes_BxN: Array
  finished_BxN: Array
  ends_BxK: Array


def _one_group(
  config: SearchConfig,
  args: SearchArgs,
  state: State,
  group: int,
  log_BxNxV: Array,
  key: Array,
) -> _Found:
  batch, each, vocabulary = log_BxNxV.shape
  sum_BxM = (state.running_BxGxN[:, group, :, None] + log_BxNxV).reshape(
    batch, -1
  )
  # As many as leave a group of beams, whichever of them end.
  count = min(max(2, 1 + len(config.ends)) * each, each * vocabulary)
  if config.static.do_sample:
    noise = jax.random.gumbel(key, sum_BxM.shape)
    _, drawn_BxK = jax.lax.top_k(sum_BxM + noise, count)
    score_BxK = jnp.take_along_axis(sum_BxM, drawn_BxK, axis=1)
    order_BxK = jnp.argsort(-score_BxK, axis=1)
    score_BxK = jnp.take_along_axis(score_BxK, order_BxK, axis=1)
    index_BxK = jnp.take_along_axis(drawn_BxK, order_BxK, axis=1)
  else:
    score_BxK, index_BxK = jax.lax.top_k(sum_BxM, count)
  parent_BxK = index_BxK // vocabulary
  token_BxK = (index_BxK % vocabulary).astype(jnp.int32)
  size = state.chosen + 1
  texts_BxKxL = _new_tokens(config, state, group, parent_BxK, token_BxK)
  ends_BxK = session.ended(token_BxK, config.ends) | (size >= args.limit)
  if config.stops is not None:
    ends_BxK = ends_BxK | config.stops.among(texts_BxKxL, size)

  goes_on_BxK = score_BxK + ends_BxK * _NO
  running_BxN, next_BxN = jax.lax.top_k(goes_on_BxK, each)

  # Only the first `each` may end a text: the others stand in for these.
  improving_B = state.improving_BxG[:, group]
  finished_BxN = state.finished_BxGxN[:, group]
  new_BxK = ends_BxK & (jnp.arange(count) < each)[None]
  final_BxK = score_BxK / (
    size.astype(jnp.float32) ** args.values["length_penalty"]
  )
  closed_B = ~improving_B
  if config.static.early_stopping == "true":
    closed_B = closed_B | jnp.all(finished_BxN, axis=1)
  final_BxK = final_BxK + closed_B[:, None] * _NO + ~new_BxK * _NO
  merged = jnp.concatenate([state.scores_BxGxN[:, group], final_BxK], axis=1)
  scores_BxN, kept_BxN = jax.lax.top_k(merged, each)

  done = state.done_BxGxNxL[:, group]
  texts = jnp.concatenate([done, texts_BxKxL], axis=1)
  size_BxK = jnp.broadcast_to(size, ends_BxK.shape)
  old_sizes = state.sizes_BxGxN[:, group]
  sizes = jnp.concatenate([old_sizes, size_BxK], axis=1)
  marks = jnp.concatenate([finished_BxN, new_BxK], axis=1)

  def pick(values, index):
    return jnp.take_along_axis(values, index, axis=1)

  return _Found(
    token_BxN=pick(token_BxK, next_BxN),
    parent_BxN=pick(parent_BxK, next_BxN),
    running_BxN=running_BxN,
    done_BxNxL=jnp.take_along_axis(texts, kept_BxN[:, :, None], axis=1),
    scores_BxN=scores_BxN,
    sizes_BxN=pick(sizes, kept_BxN),
    finished_BxN=pick(marks, kept_BxN),
    ends_BxK=ends_BxK,
  )


def _new_tokens(
  config: SearchConfig,
  state: State,
  group: int,
  parent_BxK: Array,
  token_BxK: Array,
) -> Array:
  """The new tokens of each candidate, its own the last: int32 [B, K, L]."""
  batch, groups, each = state.running_BxGxN.shape
  length = state.done_BxGxNxL.shape[3]
  slots = state.text.tokens_BxS.shape[1]
  text_BxGxNxL = state.text.tokens_BxS.reshape(batch, groups, each, slots)[
    :, :, :, slots - length :
  ]
  text_BxKxL = jnp.take_along_axis(
    text_BxGxNxL[:, group], parent_BxK[:, :, None], axis=1
  )
  at_L = jnp.arange(length)[None, None]
  kept_BxKxL = jnp.where(at_L < state.chosen, text_BxKxL, config.pad)
  return jnp.where(at_L == state.chosen, token_BxK[:, :, None], kept_BxKxL)
