"""Contrastive search: likely tokens that do not repeat what the text says."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from lm_jax.generation import filters, session
from lm_jax.generation.search import SearchArgs, SearchConfig
from lm_jax.generation.session import Reader, Text
from lm_jax.models.cache import Cache
from lm_jax.types import Array, Stream


class State(NamedTuple):
  """The state between two steps; R rows, one for each prompt.

  text: all of it has been read.
  cache: of R * k rows, those of a prompt alike: its candidates are read there.
  chosen: int32, tokens so far.
  finished_R, logs_RxS: as in lm_jax.generation.search.
  hidden_RxSxD: the states of the text's tokens, of length 1.
  logits_RxV: of the next token.
  """

  text: Text
  cache: Cache
  chosen: Array
  finished_R: Array
  logs_RxS: Array
  hidden_RxSxD: Array
  logits_RxV: Array


def begin(
  reader: Reader,
  config: SearchConfig,
  args: SearchArgs,
  inputs: Stream,
  source: Stream | None,
  size: int,
) -> State:
  """Reads the prompts; chooses nothing yet."""
  del args
  hidden_RxTxD, text, cache = reader.start(inputs, source, size)
  spare = size - hidden_RxTxD.shape[1]
  count = hidden_RxTxD.shape[0]
  return State(
    text,
    session.repeated(cache, count, config.static.top_k),
    jnp.int32(0),
    jnp.zeros(count, bool),
    jnp.zeros((count, size), jnp.float32),
    jnp.pad(_unit(hidden_RxTxD), ((0, 0), (0, spare), (0, 0))),
    reader.logits(hidden_RxTxD[:, -1]),
  )


def advance(
  reader: Reader,
  config: SearchConfig,
  args: SearchArgs,
  state: State,
  until: Array,
) -> State:
  """Advances until `until` tokens are chosen, or all texts have ended."""
  return jax.lax.while_loop(
    lambda state: (state.chosen < until) & ~jnp.all(state.finished_R),
    lambda state: _step(reader, config, args, state),
    state,
  )


def _step(
  reader: Reader, config: SearchConfig, args: SearchArgs, state: State
) -> State:
  """Su et al. 2022, equation 5: of the k likeliest tokens v the one with the

  best (1 - alpha) p(v) - alpha max_j cos(h_v, h_j), j over the text.
  """
  alpha, k = args.values["penalty_alpha"], config.static.top_k
  past = state.text.past(state.chosen, args.limit - state.chosen, args.begin)
  logits_RxV = filters.constrain(
    state.logits_RxV,
    past,
    config.static,
    args.values,
    config.ends,
    args.least,
  )
  p_RxV = jax.nn.softmax(logits_RxV, axis=1)
  p_RxK, token_RxK = jax.lax.top_k(p_RxV, k)
  count = p_RxK.shape[0]

  # Every candidate is read behind a copy of its text.
  copies = session.repeated(state.text, count, k)
  token_C = token_RxK.reshape(-1).astype(jnp.int32)
  copies = copies.append(token_C, jnp.ones_like(token_C, bool))
  hidden_Cx1xD, cache = reader.read(copies, state.cache)
  unit_RxKxD = _unit(hidden_Cx1xD).reshape(count, k, -1)
  near_RxKxS = jnp.einsum("RKD,RSD->RKS", unit_RxKxD, state.hidden_RxSxD)
  there_Rx1xS = state.text.real_BxS[:, None]
  penalty_RxK = jnp.max(jnp.where(there_Rx1xS, near_RxKxS, -jnp.inf), axis=2)
  best_R = jnp.argmax((1 - alpha) * p_RxK - alpha * penalty_RxK, axis=1)

  chosen_R = jnp.arange(count) * k + best_R
  real_R = ~state.finished_R
  token_R = jnp.where(real_R, token_C[chosen_R], config.pad)
  unit_Rx1xD = unit_RxKxD.reshape(count * k, 1, -1)[chosen_R]
  at = (jnp.int32(0), state.text.length, jnp.int32(0))
  score_R = jnp.log(p_RxK[jnp.arange(count), best_R])
  return State(
    state.text.append(token_R, real_R),
    session.rows(cache, count * k, jnp.repeat(chosen_R, k)),
    state.chosen + 1,
    state.finished_R | session.ended(token_R, config.ends),
    session.put_logs(state.logs_RxS, state.text.length, score_R, real_R),
    jax.lax.dynamic_update_slice(state.hidden_RxSxD, unit_Rx1xD, at),
    reader.logits(hidden_Cx1xD[chosen_R, 0]),
  )


def _unit(hidden: Array) -> Array:
  """Vectors of length 1, float32."""
  hidden = hidden.astype(jnp.float32)
  return hidden / jnp.linalg.norm(hidden, axis=-1, keepdims=True)
