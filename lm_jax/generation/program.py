"""The programs that searches are compiled to."""

from __future__ import annotations

import functools
from typing import Any

import jax
import numpy as np

from lm_jax.generation import beam, contrastive, search, speculative
from lm_jax.generation.search import SearchArgs, SearchConfig
from lm_jax.generation.session import Reader
from lm_jax.types import Problem

# Slots for new tokens come in multiples of this, so that near limits share a
# program.
_STEP = 64


class Program:
  """One compiled search: prefill and steps, for a shape of prompts.

  Args:
    networks: unrolled, for measuring; a draft's is the second.
    config: what is compiled in.
    slots: of the cache.
  """

  def __init__(
    self, networks: tuple[Any, ...], config: SearchConfig, slots: int
  ):
    self._empty, self._advance = _compiled(networks, config, slots)

  def run(
    self,
    params: Any,
    args: SearchArgs,
    problem: Problem,
    until: int,
    state: Any = None,
  ) -> Any:
    """Returns the state after `until` tokens, begun at the prompt if None."""
    read = (params, args, problem.inputs, problem.source)
    first = state is None
    if first:
      state = self._empty(*read)
    return self._advance(*read, state, np.bool_(first), np.int32(until))


def slots(problem: Problem, limit: int) -> int:
  length = problem.inputs.tokens_BxT.shape[1]
  return length + -(-limit // _STEP) * _STEP


@functools.lru_cache(maxsize=32)
def _compiled(
  networks: tuple[Any, ...], config: SearchConfig, slots: int
) -> Any:
  """Compiles two functions: an empty state of the right shape, the search.

  One program does both the prompt and the steps behind it: `first` tells
  whether the prompt is to be read.
  """
  module: Any = search
  if len(networks) > 1:
    module = speculative
  elif config.static.beams:
    module = beam
  elif config.static.contrastive:
    module = contrastive

  def readers(params):
    all_readers = tuple(map(Reader, networks, params))
    return all_readers if len(all_readers) > 1 else all_readers[0]

  def begin(params, args, inputs, source):
    reader = readers(params)
    return module.begin(reader, config, args, inputs, source, slots)

  def empty(*read):
    shapes = jax.eval_shape(begin, *read)
    return jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)

  @functools.partial(jax.jit, donate_argnames="state")
  def advance(params, args, inputs, source, state, first, until):
    with jax.default_matmul_precision("highest"):
      state = jax.lax.cond(
        first,
        lambda: begin(params, args, inputs, source),
        lambda: state,
      )
      reader = readers(params)
      return module.advance(reader, config, args, state, until)

  return empty, advance
