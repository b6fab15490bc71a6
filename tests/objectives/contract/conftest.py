"""Every objective on each of its architectures, run on perturbed rows."""

from __future__ import annotations

import dataclasses
import functools

import flax.linen as nn
import jax
import numpy as np
import pytest

from lm_jax.objectives.base import Objective
from lm_jax.support import registry
from lm_jax.training import terms as terms_lib
from lm_jax.types import ARCHITECTURES

PACKAGE = "lm_jax.objectives"
PIECES = [[14, 12], [40], [9, 8, 11], [19]]
DOCUMENTS = [[24], [40], [28], [19]]


def find(name):
  return registry.find(PACKAGE, name, Objective, "--objective")


def cases() -> dict[str, list[tuple[str, str]]]:
  """Names and architectures by the fixture that takes them.

  Those that learn from examples have a contract of their own
  (tests/objectives/supervised_test.py). This file is imported before --plugins
  is read, and so they are not looked for before the tests are collected.
  """
  names = [n for n in registry.names(PACKAGE) if not find(n).supervised]
  return {
    "case": [
      (name, architecture)
      for name in names
      for architecture in ARCHITECTURES
      if architecture in find(name).architectures
    ],
    "natural": [(name, find(name).natural) for name in names],
  }


def pytest_generate_tests(metafunc):
  for fixture, scope in (("case", "module"), ("natural", "function")):
    if fixture in metafunc.fixturenames:
      metafunc.parametrize(
        fixture, cases()[fixture], indirect=True, ids="-".join, scope=scope
      )


class Recorder:
  """The network; keeps what a loss reads from it.

  vocabulary: logits and targets, by call; heads: other heads' logits.
  reads: the tokens that stacks read.
  """

  def __init__(self, net, problem):
    self.net = net
    self.problem = problem
    self.kept = {"vocabulary": [], "heads": [], "reads": []}

  def hidden(self, inputs, source=None, stack="main"):
    self.kept["reads"].append(inputs.tokens_BxT)
    return self.net.hidden(inputs, source, stack)

  def head(self, name, *args, **kwargs):
    logits = self.net.head(name, *args, **kwargs)
    if name == "vocabulary":
      self.kept[name].append((logits, self.problem.targets_BxP))
    else:
      self.kept["heads"].append(logits)
    return logits

  def nll(self, hidden, targets, positions=None, stack="main"):
    logits = self.net.head("vocabulary", hidden, positions, stack)
    self.kept["vocabulary"].append((logits, targets))
    return self.net.nll(hidden, targets, positions, stack)


@dataclasses.dataclass(frozen=True)
class Case:
  """An objective on an architecture, with rows of all-distinct tokens."""

  name: str
  architecture: str
  tiny: object
  seed: int = 3

  @functools.cached_property
  def objective(self):
    """Masked LM with 100/0/0 for 80/10/10, so that targets stand nowhere."""
    cls = find(self.name)
    hide = {"masked": 1.0, "replaced": 0.0}
    fields = {field.name: field.default for field in dataclasses.fields(cls)}
    return cls(
      **{k: v for k, v in hide.items() if isinstance(fields.get(k), float)}
    )

  @functools.cached_property
  def spec(self):
    return self.tiny.spec(self.architecture)

  @functools.cached_property
  def network(self):
    return self.tiny.network(self.objective, self.spec, layers=2)

  @functools.cached_property
  def params(self):
    return self.tiny.parameters(self.objective, self.spec, self.network)

  @functools.cached_property
  def rows(self):
    pieces = DOCUMENTS if self.objective.needs_documents else PIECES
    return self.tiny.rows(pieces, distinct=True)

  @functools.cached_property
  def places(self):
    """Row and index of every text token."""
    is_text_BxL = self.tiny.is_text(self.rows.tokens_BxL)
    return list(zip(*np.nonzero(is_text_BxL), strict=True))

  @functools.cached_property
  def variants(self):
    """The rows; then, for each place, the rows with another token there."""

    def repeat(values_BxL):
      return np.repeat(values_BxL[None], len(self.places) + 1, axis=0)

    rows = jax.tree.map(repeat, self.rows)
    for n, (b, j) in enumerate(self.places, 1):
      rows.tokens_BxL[n, b, j] = self.tiny.vocabulary - 1
    return rows

  @functools.cached_property
  def found(self):
    """Of each variant: problem, loss, gradients, what the loss read.

    The variants go through one program one by one, so that equal input gives
    equal bits.
    """
    objective, spec = self.objective, self.spec

    def record(net, problem, key):
      recorder = Recorder(net, problem)
      return objective.loss(recorder, problem, key), recorder.kept

    def loss(params, problem, key):
      apply = nn.apply(record, self.network)
      terms, kept = apply({"params": params}, problem, key)
      whole = terms_lib.denominators(problem)
      return terms_lib.total(terms, problem, whole)[0], kept

    def run(params, variants, key):
      def one(rows):
        problem = objective.make(key, rows, spec)
        gradient = jax.value_and_grad(loss, has_aux=True)
        (value, kept), grads = gradient(params, problem, key)
        return problem, value, grads, kept

      return jax.lax.map(one, variants)

    key = jax.random.key(self.seed)
    return jax.device_get(jax.jit(run)(self.params, self.variants, key))

  @functools.cached_property
  def problem(self):
    """That of the rows as they are."""
    return jax.tree.map(lambda x: x[0], self.found[0])


@pytest.fixture(scope="module")
def case(request, tiny):
  return Case(*request.param, tiny)


@pytest.fixture
def natural(request, tiny):
  """Each objective where it runs unless told otherwise."""
  return Case(*request.param, tiny)
