"""Adapted models and programs, made without training."""

from __future__ import annotations

import dataclasses
import functools
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import toy
from flax import linen as nn
from flax.traverse_util import flatten_dict, unflatten_dict

from lm_jax.adaptation.base import Adaptation, is_own
from lm_jax.hugging_face.model import abstract
from lm_jax.inference import load
from lm_jax.support import registry
from lm_jax.training.plan import State
from lm_jax.training.program import Program

# A probe trains what an objective has beside the stack, and clm has nothing.
NAMES = [n for n in registry.names("lm_jax.adaptation") if n != "probe"]
# Small, and other than the defaults.
OPTIONS = {
  "lora": {"rank": 3, "alpha": 6.0, "targets": ("query", "value", "up")},
  "dora": {"rank": 3, "alpha": 6.0, "targets": ("query", "value", "up")},
  "adapter": {"size": 6},
  "soft_prompt": {"tokens": 4, "init": "random"},
  "p_tuning_v2": {"tokens": 4},
  "prefix_tuning": {"tokens": 4, "hidden": 12},
}


def make(name: str, **options) -> Adaptation:
  cls = registry.find("lm_jax.adaptation", name, Adaptation, "--adapt.method")
  return cls(**(OPTIONS.get(name, {}) | options))


@functools.cache
def program(
  objective: str,
  adaptation: Adaptation,
  architecture: str = "",
  **options,
) -> Program:
  """As toy.program, of an adapted network."""
  plan = toy.program(objective, architecture, **options).plan
  network = plan.network.clone(adaptation=adaptation)
  if getattr(adaptation, "dropout", 0):
    network = network.clone(deterministic=False)
  return Program(dataclasses.replace(plan, network=network))


def documents(program: Program, seed: int = 0):
  """Rows that hold one text each."""
  plan = program.plan
  size = (plan.batch_size, plan.spec.length, plan.spec.vocabulary)
  return toy.rows(seed, *size, documents=True)


def _leaf(path: str, leaf, seed: int):
  if path.endswith("scale"):
    return jnp.ones(leaf.shape)
  rng = np.random.default_rng([seed, zlib.crc32(path.encode())])
  return jnp.float32(0.02 * rng.standard_normal(leaf.shape))


def start(program: Program, seed: int = 0, base=None) -> tuple[Program, State]:
  """A program over a base, drawn by NumPy if need be, and its first state."""
  flat = flatten_dict(program.shapes, sep=".")
  drawn = {n: _leaf(n, x, seed) for n, x in flat.items() if not is_own(n)}
  base = flatten_dict(base, sep=".") if base is not None else drawn
  zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), program.abstract)
  names = flatten_dict(program.abstract.params, sep=".")
  own = flatten_dict(toy.initial(program, seed).params, sep=".")
  own = {n: own[n] if is_own(n) else base[n] for n in names}
  own = program.plan.network.adaptation.start(
    own, base, program.plan.spec, np.random.default_rng(0), lambda _: [20]
  )
  key = jax.random.key_data(jax.random.key(seed))
  params = unflatten_dict(own, sep=".")
  state = dataclasses.replace(zeros, params=params, key=key)
  return program.with_held(unflatten_dict(base, sep=".")), state


def step(program: Program, state: State, rows, fraction: float = 0.5):
  """State and metrics after a step; the state given is not donated."""
  state = jax.tree.map(jnp.copy, state)
  return program._step(state, rows, np.float32(fraction), *program._held)


def model(directory: str, adaptation: Adaptation, scale: float = 0.3):
  """The model of a directory, with an adaptation of random numbers."""
  plain = load.load(directory)
  adaptation.check(dict(plain.network.trunks)["main"])
  network = plain.network.clone(adaptation=adaptation)
  shapes = nn.meta.unbox(
    abstract(network.clone(deterministic=True), tuple(plain.outputs))
  )
  flat = flatten_dict(shapes, sep=".")
  base = flatten_dict(plain.params, sep=".")
  params = dict(base)
  for name, leaf in flat.items():
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    noise = scale * jnp.float32(rng.standard_normal(leaf.shape))
    if is_own(name):
      params[name] = noise + name.endswith("scale")
    elif adaptation.trains(name):
      params[name] = params[name] + noise
  return dataclasses.replace(
    plain,
    config=dataclasses.replace(plain.config, model=directory),
    network=network,
    params=unflatten_dict(params, sep="."),
  )
