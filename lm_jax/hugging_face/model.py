"""A model of a family: its network, its parameters and the file's tensors."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from lm_jax import layout
from lm_jax.families.base import Family, Tensor
from lm_jax.models.network import Network
from lm_jax.storage.digest import flatten
from lm_jax.types import Head, Trunk

Tree = Any


@dataclasses.dataclass(frozen=True)
class Model:
  """A model as a Hugging Face directory holds it.

  architecture: the class of Transformers, a key of `family.classes`.
  outputs: the heads by name, and "vocabulary" where it has that; the first is
    the one that Transformers calls the logits.
  short: the file leaves the prefix of the base model out, as GPT-2's does.
  moved: tensors that the file holds under the name of a copy, and that name.
  """

  family: Family
  architecture: str
  trunk: Trunk
  outputs: Mapping[str, Head | None]
  short: bool = False
  moved: Mapping[str, str] = dataclasses.field(default_factory=dict)

  @property
  def prefix(self) -> str:
    """The prefix of the names of the base model's tensors."""
    family = self.family
    if self.short or self.architecture in family.bare_classes:
      return ""
    return family.prefixes.get(self.architecture, family.prefix)

  def network(self) -> Network:
    """Returns the network without dropout."""
    outputs = self.outputs.items()
    heads = tuple((name, head) for name, head in outputs if head is not None)
    return Network((("main", self.trunk),), heads)

  def copies(self) -> dict[str, str]:
    """Names under which the file may hold a tensor again, and its name."""
    copies = dict(self.family.copies(self.trunk))
    if self.short:
      prefix = self.family.prefix
      copies = {copy: x.removeprefix(prefix) for copy, x in copies.items()}
    return {copy: self.moved.get(x, x) for copy, x in copies.items()}

  def unused(self, names: Iterable[str]) -> list[str]:
    """Lists the file's tensors that hold none of the model's parameters.

    Such as positions counted from 0, or a bias beside the one that counts.
    """
    known = {*self.tensors, *self.copies()}
    return [name for name in names if name not in known]

  @functools.cached_property
  def boxed(self) -> Tree:
    """Shapes of all parameters, with their logical axes."""
    return abstract(self.network(), tuple(self.outputs))

  @functools.cached_property
  def shapes(self) -> dict[str, tuple[int, ...]]:
    """Shapes of all parameters by their dotted paths."""
    leaves = flatten(nn.meta.unbox(self.boxed))
    return {path: leaf.shape for path, leaf in leaves.items()}

  @functools.cached_property
  def tensors(self) -> dict[str, Tensor]:
    """The rules that apply, by the whole names of their tensors.

    Every parameter is in exactly one of them.
    """
    rules = list(self.family.tensors(self.trunk))
    for name in self.outputs:
      rules += self.family.outputs(name, self.trunk)
    rule_of: dict[str, Tensor] = {}
    left = set(self.shapes)
    for rule in rules:
      if not self.shapes.keys() >= set(rule.ours):
        continue
      name = rule.theirs if rule.top else self.prefix + rule.theirs
      name = self.moved.get(name, name)
      if name in rule_of or not left >= set(rule.ours):
        raise ValueError(f"{name} or {rule.ours} has two rules")
      rule_of[name] = rule
      left -= set(rule.ours)
    if left:
      raise ValueError(f"no rule for {sorted(left)}")
    return rule_of

  def joined(self, rule: Tensor) -> tuple[int, ...]:
    """The shape of a rule's parameters side by side."""
    shapes = [self.shapes[path] for path in rule.ours]
    return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))

  def shape(self, rule: Tensor) -> tuple[int, ...]:
    """The shape of a rule's tensor, as they have it."""
    joined = self.joined(rule)
    return rule.shape or (joined[::-1] if rule.transpose else joined)


@functools.lru_cache(maxsize=64)
def abstract(network: Network, outputs: tuple[str, ...]) -> Tree:
  """Shapes of the parameters of a network with these outputs, boxed."""
  trunk = dict(network.trunks)["main"]

  def everything(net):
    ids_1x1 = jnp.zeros((1, 1), jnp.int32)
    inputs = layout.stream(ids_1x1, ids_1x1 + 1, "causal")
    source = None
    if trunk.architecture == "encoder_decoder":
      source = layout.stream(ids_1x1, ids_1x1 + 1, "full")
    hidden_1x1xD = net.hidden(inputs, source)
    for name in outputs:
      net.head(name, hidden_1x1xD)

  init = nn.init(everything, network)
  return jax.eval_shape(init, jax.random.key(0))["params"]
