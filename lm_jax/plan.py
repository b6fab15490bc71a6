"""A run on many chips, on paper: memory, bytes moved, time of a step.

Nothing is compiled or allocated: the program is built over an abstract mesh,
and its shapes, shardings and model FLOPs are those that training would have.
What is assumed besides is said in `NOTES`, which every plan prints.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.extend import core
from jax.sharding import AbstractMesh, AxisType

from lm_jax import config as config_lib
from lm_jax import flops, limits
from lm_jax.assemble import make_network
from lm_jax.chips import Chip
from lm_jax.config import Config
from lm_jax.data.open_tokenizer import specials_of
from lm_jax.digest import flatten
from lm_jax.ledger import Budget
from lm_jax.models.outputs import chunks_for
from lm_jax.program import Plan, Program, abstract_rows
from lm_jax.types import MESH_AXES, Array, Spec, Stream, Trunk

# Rows for each of the chips that share a batch, unless told.
ROWS_A_CHIP = 8

NOTES = (
  "memory: activations are what the backward pass reads, as autodiff lists it"
  " for a chip's share; XLA may keep less. Working space is not in it.",
  "moved: by ring algorithms a chip sends (n-1)/n of the bytes for all-gather"
  " and reduce-scatter, twice that for all-reduce.",
  "time: products at the peak of bfloat16 and links at theirs, so it is a"
  " bound that no run reaches.",
)


@dataclasses.dataclass(frozen=True)
class Collective:
  """Something that chips exchange in a step.

  kind: "all-gather", "reduce-scatter" or "all-reduce".
  what: for people.
  axes: of the mesh.
  chips: that take part in one.
  size: bytes of the whole, gathered or reduced, on one chip, in a step.
  """

  kind: str
  what: str
  axes: tuple[str, ...]
  chips: int
  size: int

  @property
  def sent(self) -> float:
    """Bytes that each chip sends: (n-1)/n of the size, or twice that."""
    twice = 2 if self.kind == "all-reduce" else 1
    return twice * (self.chips - 1) / self.chips * self.size


@dataclasses.dataclass(frozen=True)
class Paper:
  """A plan.

  mesh: chips by axis.
  parameters: numbers.
  memory: bytes on a chip, by what they are.
  flops: model FLOPs of a step, on all chips.
  collectives: of a step.
  """

  mesh: dict[str, int]
  parameters: int
  memory: dict[str, int]
  flops: int
  collectives: tuple[Collective, ...]

  @property
  def chips(self) -> int:
    return math.prod(self.mesh.values())

  def compute(self, chip: Chip) -> float:
    """Seconds of a step's products."""
    return self.flops / self.chips / chip.flops

  def communication(self, chip: Chip) -> float:
    """Seconds of a step's collectives, one after another."""
    return sum(item.sent / self.speed(item, chip) for item in self.collectives)

  def speed(self, item: Collective, chip: Chip) -> float:
    """Bytes a second: within a domain of fast links, or beyond it.

    Neighbours on the mesh's last axes are neighbours in a domain.
    """
    last = max(map(MESH_AXES.index, item.axes))
    outermost = min(map(MESH_AXES.index, item.axes))
    inner = [self.mesh[axis] for axis in MESH_AXES[last + 1 :]]
    own = [self.mesh[axis] for axis in MESH_AXES[outermost : last + 1]]
    fits = math.prod(inner) * math.prod(own) <= chip.domain
    return chip.link if fits else chip.network


def make(config: Config, chips: int) -> Paper:
  """The plan of a configuration on so many chips.

  Args:
    config: its mesh may leave data to what remains.
    chips: in all.

  Raises:
    UsageError: the configuration is impossible, on so many chips or at all.
  """
  rows = config.batch_size // config.accumulate
  sizes = limits.check_mesh(config.mesh, rows, chips)
  others = sizes.get("fsdp", 1) * sizes.get("tensor", 1)
  sizes = {"data": chips // others, "fsdp": 1, "tensor": 1} | sizes
  return of_program(_program(config, sizes))


def of_program(program: Program) -> Paper:
  """The plan of what a program is made for."""
  sizes = dict(program.plan.mesh.shape)
  own, gathered, tables = _sizes(program)
  memory = {
    "parameters": sum(own.values()),
    "optimizer": _shard_bytes(program.abstract.optimizer, program, "optimizer"),
    "gradients": sum(own.values()),
  }
  if sizes["fsdp"] > 1:
    # One in use, and one on its way.
    memory["gathered parameters"] = 2 * max(gathered.values())
  memory |= _activations(program, sizes)
  return Paper(
    sizes,
    program.parameters,
    memory,
    program.flops,
    tuple(_collectives(program, sizes, own, gathered, tables)),
  )


def _program(config: Config, sizes: dict[str, int]) -> Program:
  """As it would be on the chips, over a mesh that has none."""
  built = config_lib.build(dataclasses.replace(config, mesh=""))
  specials = specials_of(config.data)
  vocabulary = built.trunk.vocabulary or config.data.vocabulary_size
  spec = Spec(built.trunk.architecture, config.length, vocabulary, specials)
  built.objective.check(spec, config.batch_size, config.accumulate)
  # Other backends than the CPU compute the square.
  if built.trunk.attention == "auto":
    trunk = dataclasses.replace(built.trunk, attention="plain")
    built = dataclasses.replace(built, trunk=trunk)
  mesh = AbstractMesh(
    tuple(sizes[axis] for axis in MESH_AXES),
    MESH_AXES,
    axis_types=(AxisType.Auto,) * len(MESH_AXES),
  )
  return Program(
    Plan(
      objective=built.objective,
      network=make_network(built, spec),
      spec=spec,
      batch_size=config.batch_size,
      accumulate=config.accumulate,
      optimizer=config.optimizer,
      budget=Budget.parse(config.budget),
      mesh=mesh,  # type: ignore[arg-type]
    )
  )


def _bytes(leaf: Any, sharding: Any = None) -> int:
  shape = leaf.shape if sharding is None else sharding.shard_shape(leaf.shape)
  return math.prod(shape) * leaf.dtype.itemsize


def _shard_bytes(tree: Any, program: Program, part: str) -> int:
  shardings = getattr(program.shardings, part)
  return sum(
    _bytes(leaf, place)
    for leaf, place in zip(
      jax.tree.leaves(tree), jax.tree.leaves(shardings), strict=True
    )
  )


def _sizes(
  program: Program,
) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
  """Of each parameter: bytes of a chip's shard; of what fsdp gathers, where it
  is split by that; and of the tables that serve twice, those of a shard.
  """
  shapes = flatten(program.abstract.params)
  places = flatten(program.shardings.params)
  own = {name: _bytes(leaf, places[name]) for name, leaf in shapes.items()}
  fsdp = program.plan.mesh.shape["fsdp"]
  gathered = {
    name: fsdp * own[name]
    for name in shapes
    if fsdp > 1 and "fsdp" in places[name].spec
  }
  tied = [trunk for _, trunk in program.plan.network.trunks if trunk.tied]
  tables = {f"embedder_{trunk.embeddings}.embedding" for trunk in tied} & set(
    own
  )
  return own, gathered, {name: own[name] for name in tables}


def _collectives(program, sizes, own, gathered, tables):
  """What a step exchanges.

  Gradients of a tied table are reduced once for each of its two uses: XLA adds
  them up after that.
  """
  accumulate = program.plan.accumulate
  data, fsdp = sizes["data"], sizes["fsdp"]
  if gathered:
    yield Collective(
      "all-gather",
      "parameters, forward and backward",
      ("fsdp",),
      fsdp,
      2 * accumulate * sum(gathered.values()),
    )
    reduced = sum(gathered.values())
    reduced += fsdp * sum(tables[name] for name in tables if name in gathered)
    yield Collective(
      "reduce-scatter", "gradients", ("fsdp",), fsdp, accumulate * reduced
    )
  if data > 1 and gathered:
    split = sum(own[name] for name in gathered)
    split += sum(tables[name] for name in tables if name in gathered)
    yield Collective(
      "all-reduce", "gradients", ("data",), data, accumulate * split
    )
  whole = sum(own[name] for name in own if name not in gathered)
  whole += sum(tables[name] for name in tables if name not in gathered)
  if data * fsdp > 1 and whole:
    yield Collective(
      "all-reduce",
      "gradients of what fsdp does not split",
      ("data", "fsdp"),
      data * fsdp,
      accumulate * whole,
    )
  if sizes["tensor"] > 1:
    size = _activations_reduced(program) // (data * fsdp)
    yield Collective(
      "all-reduce", "activations", ("tensor",), sizes["tensor"], size
    )


class _Calls(flops.Counter):
  """Counts the states that tensor parallelism reduces: bytes of a step.

  Forward, the embeddings' and each layer's two outputs; backward, the inputs
  of each of a layer's projections, and those of the vocabulary. (The inputs of
  query, key and value could be added up before they are reduced, as in
  Shoeybi et al. 2019; XLA reduces each.)
  """

  reduced = 0

  def _layers(self, trunk: Trunk, tokens: int, layers: int, cross: int) -> None:
    width = trunk.width * jnp.dtype(trunk.dtype).itemsize
    gated = trunk.activation.removesuffix("_exact").endswith("glu")
    each = 2 + 3 + (2 if gated else 1) + 4 * cross
    self.reduced += tokens * width * (layers * each + 1)

  def hidden(
    self, inputs: Stream, source: Stream | None = None, stack: str = "main"
  ) -> Array:
    trunk = self._trunks[stack]
    cross = int(source is not None)
    self._layers(trunk, math.prod(inputs.tokens_BxT.shape), trunk.layers, cross)
    if source is not None:
      layers = trunk.encoder_layers or trunk.layers
      self._layers(trunk, math.prod(source.tokens_BxT.shape), layers, 0)
    return super().hidden(inputs, source, stack)

  def nll(self, hidden_BxTxD, targets_BxP, positions=None, stack="main"):
    trunk = self._trunks[stack]
    width = trunk.width * jnp.dtype(trunk.dtype).itemsize
    self.reduced += math.prod(targets_BxP.shape) * width
    return super().nll(hidden_BxTxD, targets_BxP, positions, stack)


def _activations_reduced(program: Program) -> int:
  counters: list[_Calls] = []

  def count(net, problem, rng):
    plan = program.plan
    trunks = dict(plan.network.trunks)
    counters.append(_Calls(net, trunks, dict(plan.network.head_specs)))
    return plan.objective.loss(counters[-1], problem, rng)

  _trace(program.plan, count, program.plan.network.clone(deterministic=True))
  return counters[-1].reduced


def _trace(plan: Plan, loss: Any, network: Any) -> None:
  """Calls a loss on shapes only."""

  def run(rows, key):
    problem = plan.objective.make(key, rows, plan.spec)
    return nn.init(loss, network)({"params": key}, problem, key)

  rows = abstract_rows(plan.batch_size, plan.spec.length)
  jax.eval_shape(run, rows, jax.random.key(0))


def _activations(program: Program, sizes: dict[str, int]) -> dict[str, int]:
  """Bytes that one chip keeps for its backward pass, by what they are.

  Its share is the network with 1/tensor of the heads, the feed-forward width
  and the vocabulary, on its rows of one of the parts of a batch.
  """
  plan = program.plan
  shards = sizes["data"] * sizes["fsdp"]
  rows = plan.batch_size // plan.accumulate // shards
  # Some objectives take more rows than one; what is kept grows with them.
  least = max(rows, 2)
  network = plan.network.clone(
    trunks=tuple(
      (name, _share(trunk, sizes["tensor"]))
      for name, trunk in plan.network.trunks
    )
  )

  def loss(params, problem, key):
    terms = nn.apply(plan.objective.loss, network)(
      {"params": params}, problem, key, rngs={"dropout": key}
    )
    return sum(
      term.scale * jnp.sum(term.losses * problem.weights[name])
      for name, term in terms.items()
    )

  def own(net, problem, rng):
    return plan.objective.loss(net, problem, rng)

  def init(key, problem):
    quiet = network.clone(deterministic=True)
    return nn.init(own, quiet)({"params": key}, problem, key)["params"]

  key = jax.random.key(0)
  problem = jax.eval_shape(
    lambda key, rows: plan.objective.make(key, rows, plan.spec),
    key,
    abstract_rows(least, plan.spec.length),
  )
  params = nn.meta.unbox(jax.eval_shape(init, key, problem))
  kept = residuals(lambda p, q, k: loss(p, q, k), params, problem, key)
  trunk = dict(network.trunks)["main"]
  positions = problem.targets_BxP.shape[-1]
  chunks = chunks_for(rows, positions, trunk.vocabulary)
  logits = rows * -(-positions // chunks) * trunk.vocabulary
  return {
    "activations": kept * rows // least,
    "logits of a chunk": 2 * 4 * logits,
  }


def _share(trunk: Trunk, tensor: int) -> Trunk:
  """What a chip computes of a stack."""

  def part(size: int) -> int:
    return size // tensor if size % tensor == 0 else size

  return dataclasses.replace(
    trunk,
    heads=part(trunk.heads),
    kv_heads=part(trunk.kv_heads),
    head_width=trunk.head_width or trunk.width // trunk.heads,
    feedforward=part(trunk.feedforward),
    encoder_heads=part(trunk.encoder_heads),
    encoder_feedforward=part(trunk.encoder_feedforward),
    vocabulary=part(trunk.vocabulary),
  )


def residuals(loss: Any, params: Any, *args: Any) -> int:
  """Bytes that the backward pass of a loss reads besides its arguments.

  Args:
    loss: takes params and args; a scalar.
    params: shapes; the gradient is for them.
  """

  def backward(params, *args):
    return jax.vjp(lambda p: loss(p, *args), params)[1]

  jaxpr = jax.make_jaxpr(backward)(params, *args).jaxpr
  given = {*jaxpr.invars, *jaxpr.constvars}
  kept: list[Any] = [
    var.aval
    for var in dict.fromkeys(
      v for v in jaxpr.outvars if isinstance(v, core.Var)
    )
    if var not in given
  ]
  return sum(math.prod(x.shape) * _itemsize(x.dtype) for x in kept)


def _itemsize(dtype: Any) -> int:
  return getattr(dtype, "itemsize", 8)  # a key is two words


def report(paper: Paper, name: str, chip: Chip) -> list[str]:
  """The plan in lines, what does not fit said last."""
  mesh = ",".join(f"{axis}={paper.mesh[axis]}" for axis in MESH_AXES)
  lines = [
    f"plan: {paper.chips} x {name}, --mesh={mesh},"
    f" {paper.parameters:,} parameters",
    f"memory of a chip ({_size(chip.memory)}):",
  ]
  total = sum(paper.memory.values())
  for what, size in sorted(paper.memory.items(), key=lambda x: -x[1]):
    lines.append(f"  {what:24} {_size(size):>10} {size / total:5.0%}")
  lines.append(f"  {'in all':24} {_size(total):>10}")
  lines.append("moved in a step, by a chip:")
  for item in paper.collectives:
    where = "x".join(f"{paper.mesh[axis]}" for axis in item.axes)
    lines.append(
      f"  {item.kind:15} {'+'.join(item.axes):10} of {where:>6}"
      f" {_size(item.sent):>10} at {_size(paper.speed(item, chip))}/s:"
      f" {item.what}"
    )
  if not paper.collectives:
    lines.append("  nothing")
  compute, moving = paper.compute(chip), paper.communication(chip)
  lines += [
    f"model FLOPs of a step: {paper.flops:.4g}, of a chip"
    f" {paper.flops / paper.chips:.4g}",
    f"time of a step: products {compute * 1e3:.3g} ms, collectives"
    f" {moving * 1e3:.3g} ms",
    f"efficiency: {compute / (compute + moving):.0%} if they follow each"
    f" other, {compute / max(compute, moving):.0%} if they overlap wholly",
    *NOTES,
  ]
  if total > chip.memory:
    most = max(paper.memory, key=paper.memory.__getitem__)
    lines.append(
      f"WARNING: does not fit: {_size(total)} of {_size(chip.memory)}, most of"
      f" it {most}; {_HELPS.get(most, _HELPS[''])}"
    )
  return lines


_HELPS = {
  "activations": "--accumulate, --trunk.remat=full or fewer rows help",
  "": "more chips for fsdp or tensor help",
}


def _size(count: float) -> str:
  for unit in ("B", "kB", "MB", "GB"):
    if count < 1000:
      return f"{count:.3g} {unit}"
    count /= 1000
  return f"{count:.3g} TB"
