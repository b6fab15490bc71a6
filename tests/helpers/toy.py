"""Tiny rows and programs, made once and shared by the tests of a process."""

from __future__ import annotations

import dataclasses
import functools
import math
import zlib

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from lm_jax.config import optimizer as optimizer_lib
from lm_jax.config.budget import Budget
from lm_jax.devices import sharding
from lm_jax.finetuning import packing
from lm_jax.finetuning.heads.base import NO_LABEL, Item
from lm_jax.models.network import Network
from lm_jax.objectives.base import Objective
from lm_jax.support import registry
from lm_jax.training.plan import Plan, State, heads_of, trunks_of
from lm_jax.training.program import Program
from lm_jax.types import ARCHITECTURES, PADDING, Rows, Spec, Specials, Trunk

SPECIALS = Specials(sentinels=10)
# A prime, so that an array with an axis of this size holds the vocabulary.
VOCABULARY = 97
LENGTH = 32
BATCH = 8
TRUNK = {"layers": 1, "width": 32, "heads": 2, "feedforward": 64}
# The large epsilon keeps the sign of a gradient that is 0 but for rounding
# from deciding the step.
OPTIMIZER = optimizer_lib.OptimizerOptions(
  learning_rate=1e-2, schedule="constant", warmup=0.0, epsilon=1e-3
)


def objective_class(name: str) -> type[Objective]:
  return registry.find("lm_jax.objectives", name, Objective, "--objective")


_EVERY = registry.names("lm_jax.objectives")
OBJECTIVES = [name for name in _EVERY if not objective_class(name).supervised]
# What learns from examples, and the options that it needs.
SUPERVISED = {
  "classify": {"labels": ("one", "two", "three"), "dropout": 0.0},
  "respond": {"answer_length": LENGTH // 2},
  "regress": {"dropout": 0.0},
  "multiple_choice": {"choices": 3, "dropout": 0.0},
  "label_tokens": {"labels": ("O", "B-a", "I-a"), "dropout": 0.0},
  "extract": {},
}
# Every objective on every architecture that it declares.
ARMS = [
  (name, architecture)
  for name in (*OBJECTIVES, *SUPERVISED)
  for architecture in ARCHITECTURES
  if architecture in objective_class(name).architectures
]


@functools.cache
def program(
  name: str,
  architecture: str = "",
  accumulate: int = 1,
  batch: int = BATCH,
  length: int = LENGTH,
  vocabulary: int = VOCABULARY,
  optimizer: optimizer_lib.OptimizerOptions = OPTIMIZER,
  budget: str = "steps:20",
  mesh: tuple[tuple[str, int], ...] = (),
  **trunk,
) -> Program:
  """A program of an objective with its defaults; equal calls share it."""
  objective = objective_class(name)(**SUPERVISED.get(name, {}))
  architecture = architecture or objective.natural
  options = TRUNK | {"max_positions": 2 * length} | trunk
  shape = Trunk(architecture=architecture, vocabulary=vocabulary, **options)
  spec = Spec(architecture, length, vocabulary, SPECIALS)
  objective.check(spec, batch, accumulate)
  network = Network(
    trunks_of(objective, shape),
    heads_of(objective, spec),
    deterministic=not (shape.dropout or shape.attention_dropout),
  )
  return Program(
    Plan(
      objective,
      network,
      spec,
      batch,
      accumulate,
      optimizer,
      Budget.parse(budget),
      sharding.make_mesh(dict(mesh)),
    )
  )


def rows_for(program: Program, seed: int = 0) -> Rows:
  """Rows of the shape and kind that the program's objective reads."""
  plan = program.plan
  if plan.objective.supervised:
    return examples(plan.objective, plan.batch_size, plan.spec, seed)
  return rows(
    seed,
    plan.batch_size,
    plan.spec.length,
    plan.spec.vocabulary,
    documents=plan.objective.needs_documents,
  )


def examples(
  objective: Objective, batch: int, spec: Spec, seed: int = 0
) -> Rows:
  """Random examples in rows, as fine-tuning packs them."""
  rng = np.random.default_rng(seed)
  answers = getattr(objective, "answer_length", 0)
  shape = packing.Shape(spec.length, answers, spec.length // 4)
  items = []
  for _ in range(6 * batch):
    size, said = rng.integers(3, 9), rng.integers(2, 6) if answers else 0
    text = rng.integers(len(SPECIALS.ids), spec.vocabulary, (2, 16))
    tokens = np.int32([SPECIALS.boundary, *text[0, :size]])
    which = np.int32(np.arange(len(tokens)) > size // 2)
    if objective.name == "multiple_choice":
      items.append(candidates(len(items), rng, spec))
      continue
    label = _label(objective, tokens, rng)
    answer = np.int32([*text[1, :said], SPECIALS.end][: said and said + 1])
    items.append(Item(len(items), tokens, which, label, answer))
  packed = packing.pack(packing.sizes(items), np.arange(len(items)), shape)
  return packing.lay(items, packed[:batch], shape, SPECIALS.pad, batch)


def candidates(number: int, rng, spec: Spec, choices: int = 3) -> Item:
  """An example of two candidates or more; the largest first id is right."""
  parts, firsts = [], []
  for _ in range(rng.integers(2, choices + 1)):
    size = rng.integers(3, spec.length // choices)
    text = rng.integers(len(SPECIALS.ids), spec.vocabulary, size)
    parts.append(np.int32([SPECIALS.boundary, *text]))
    firsts.append(text[0])
  right = int(np.argmax(firsts))
  return Item(
    number,
    np.concatenate(parts),
    np.concatenate([np.int32(np.arange(len(x)) > 1) for x in parts]),
    np.concatenate(
      [
        np.full(len(x), 2 * index + (index == right), np.int32)
        for index, x in enumerate(parts)
      ]
    ),
  )


def _label(objective: Objective, tokens: np.ndarray, rng) -> np.ndarray:
  """Labels that may be learnt: a class follows from the first token's id."""
  if objective.name == "classify":
    number = int(tokens[1]) % len(objective.labels)
    return np.full(len(tokens), number, np.int32)
  if objective.name == "regress":
    score = np.float32([int(tokens[1]) % 7 / 2 - 1])  # -1.0 among them
    return np.full(len(tokens), score.view(np.int32)[0], np.int32)
  if objective.name == "label_tokens":
    return np.int32(tokens % len(objective.labels))
  if objective.name == "extract":
    label = np.where(np.arange(len(tokens)) % 2, NO_LABEL, 0).astype(np.int32)
    for bit, place in ((1, 0), (2, 2)):
      label[place] |= bit
    return label
  return np.full(len(tokens), NO_LABEL, np.int32)


def rows(
  seed: int,
  batch: int = BATCH,
  length: int = LENGTH,
  vocabulary: int = VOCABULARY,
  documents: bool = False,
) -> Rows:
  """Random texts of a skewed vocabulary, as the data layer would pack them.

  documents: one to a row with padding behind it; otherwise rows are full, but
    for the last, which ends in padding. So parts of a batch differ in
    their number of tokens.
  """
  rng = np.random.default_rng(seed)
  names = ("tokens", "segment", "word", "sentence")
  out = {name: np.zeros((batch, length), np.int32) for name in names}
  part = np.full((batch, length), PADDING, np.int32)
  # Zipf's law, so that there is something to learn in a few steps.
  share = 1 / np.arange(1, vocabulary - len(SPECIALS.ids) + 1)
  for row in range(batch):
    size = length
    if documents:
      size -= (length * (1 + row % 5)) // 10
    elif row == batch - 1:
      size -= rng.integers(length // 4, length // 2)
    start, segment, word, sentence = 0, 0, -1, -1
    while start < size:
      end = size
      if not documents and size - start > 12:
        end = start + rng.integers(6, size - start - 5)
      segment += 1
      sentence += 1
      for i in range(start, end):
        if i == start:
          token, word = SPECIALS.boundary, word + 1
        else:
          token = len(SPECIALS.ids)
          token += rng.choice(len(share), p=share / sum(share))
          word += i == start + 1 or rng.random() < 0.6
          sentence += i > start + 2 and rng.random() < 0.2
        for name, value in zip(
          names, (token, segment, word, sentence), strict=True
        ):
          out[name][row, i] = value
      part[row, start:end] = 1
      start = end
  return Rows(out["tokens"], out["segment"], out["word"], out["sentence"], part)


def start(program: Program, seed: int = 0) -> State:
  """A state of step 0 of usual size, without compiling the initializer.

  Drawn by NumPy in place of `program.initial`, so that it is the same under
  every version of jax, and for every program of these shapes.
  """
  leaves, tree = jax.tree_util.tree_flatten_with_path(program.abstract.params)
  params = jax.tree.unflatten(
    tree,
    [
      _initial(jax.tree_util.keystr(path, simple=True), leaf, seed)
      for path, leaf in leaves
    ],
  )
  zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), program.abstract)
  key = jax.random.key_data(jax.random.key(seed))
  return dataclasses.replace(zeros, params=params, key=key)


def _initial(path: str, leaf, seed: int):
  if path.endswith("scale"):
    return jnp.ones(leaf.shape)
  if path.endswith("bias") and "relative" not in path:
    return jnp.zeros(leaf.shape)
  rng = np.random.default_rng([seed, zlib.crc32(path.encode())])
  return jnp.float32(0.02 * rng.standard_normal(leaf.shape))


def initial(program: Program, seed: int = 0) -> State:
  """The state that the program itself starts from."""
  return program.initial(np.uint32(seed))


def step(program: Program, state: State, rows: Rows, fraction: float = 0.5):
  """State and metrics after a step; the state given is not donated."""
  state = jax.tree.map(jnp.copy, state)
  return program._step(state, rows, np.float32(fraction))


def abstract_problem(program: Program):
  """Shapes of what the program's objective makes of rows."""
  plan = program.plan
  return jax.eval_shape(
    lambda key, rows: plan.objective.make(key, rows, plan.spec),
    jax.random.key(0),
    program._rows,
  )


def draw(shapes, seed: int = 0, scale: float = 0.3):
  """float32 normal numbers in place of shapes, from NumPy."""
  rng = np.random.default_rng(seed)

  def leaf(shape):
    return jnp.float32(scale * rng.standard_normal(shape.shape))

  return jax.tree.map(leaf, shapes)


def equations(jaxpr):
  """All equations of a jaxpr, those of its calls and loops included."""
  if isinstance(jaxpr, core.ClosedJaxpr):
    jaxpr = jaxpr.jaxpr
  for equation in jaxpr.eqns:
    yield equation
    for value in equation.params.values():
      for inner in value if isinstance(value, (tuple, list)) else [value]:
        if isinstance(inner, (core.Jaxpr, core.ClosedJaxpr)):
          yield from equations(inner)


def most_logits(jaxpr, vocabulary: int) -> int:
  """Rows of the largest array with an axis of the vocabulary's size.

  The table itself, [V, E], and its gradient do not count.
  """
  most = 0
  for equation in equations(jaxpr):
    for out in equation.outvars:
      shape = getattr(out.aval, "shape", ())
      if vocabulary in shape[-1:]:
        most = max(most, math.prod(shape[:-1]))
  return most


def first_moment(state: State):
  """Adam's first moment, a tenth of the gradient after a first step."""
  is_adam = lambda x: hasattr(x, "mu")  # noqa: E731
  leaves = jax.tree.leaves(state.optimizer, is_leaf=is_adam)
  return next(leaf.mu for leaf in leaves if is_adam(leaf))
