"""Plans a run on many chips on paper: memory, bytes moved, time of a step.

Nothing is compiled or allocated: the program is built over an abstract mesh,
and its shapes, shardings and model FLOPs are those of training. `NOTES`, which
every plan prints, lists the other assumptions.
"""

from __future__ import annotations

import dataclasses
import math

import jax
from jax.sharding import AbstractMesh, AxisType

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.config import mesh as mesh_lib
from lm_jax.config.budget import Budget
from lm_jax.data.open_tokenizer import specials_of
from lm_jax.planning import residuals, traffic
from lm_jax.planning.chips import Chip
from lm_jax.planning.traffic import Collective
from lm_jax.training.assemble import make_network
from lm_jax.training.plan import Plan
from lm_jax.training.program import Program
from lm_jax.types import MESH_AXES, Spec

# Default rows for each of the chips that share a batch.
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
class Paper:
  """A plan on paper.

  mesh: chips by axis.
  parameters: their number.
  memory: bytes on a chip, by use.
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
    """Bytes per second, within a domain of fast links or beyond it.

    Neighbours on the mesh's last axes are neighbours in a domain.
    """
    last = max(map(MESH_AXES.index, item.axes))
    outermost = min(map(MESH_AXES.index, item.axes))
    inner = [self.mesh[axis] for axis in MESH_AXES[last + 1 :]]
    own = [self.mesh[axis] for axis in MESH_AXES[outermost : last + 1]]
    fits = math.prod(inner) * math.prod(own) <= chip.domain
    return chip.link if fits else chip.network


def make(config: Config, chips: int) -> Paper:
  """Makes the plan of a configuration for a number of chips.

  Its mesh may leave out data, which then gets the remaining chips.

  Raises:
    UsageError: the configuration is impossible, for these chips or at all.
  """
  rows = config.batch_size // config.accumulate
  sizes = mesh_lib.check(config.mesh, rows, chips)
  others = sizes.get("fsdp", 1) * sizes.get("tensor", 1)
  sizes = {"data": chips // others, "fsdp": 1, "tensor": 1} | sizes
  return from_program(_program(config, sizes))


def from_program(program: Program) -> Paper:
  """Makes the plan of a program."""
  sizes = traffic.sizes(program)
  own, gathered = sizes.own, sizes.gathered
  memory = {
    "parameters": sum(own.values()),
    "optimizer": sum(
      map(
        traffic.shard_bytes,
        jax.tree.leaves(program.abstract.optimizer),
        jax.tree.leaves(program.shardings.optimizer),
      )
    ),
    "gradients": sum(own.values()),
  }
  if gathered:
    # One in use, and one being gathered.
    memory["gathered parameters"] = 2 * max(gathered.values())
  return Paper(
    dict(program.plan.mesh.shape),
    program.parameters,
    memory | residuals.activations(program),
    program.flops,
    tuple(traffic.collectives(program)),
  )


def _program(config: Config, sizes: dict[str, int]) -> Program:
  """Builds the program over a mesh without chips."""
  built = config_lib.build(dataclasses.replace(config, mesh=""))
  specials = specials_of(config.data)
  vocabulary = built.trunk.vocabulary or config.data.vocabulary_size
  spec = Spec(built.trunk.architecture, config.length, vocabulary, specials)
  built.objective.check(spec, config.batch_size, config.accumulate)
  # Backends other than the CPU compute the whole square.
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


def report(paper: Paper, name: str, chip: Chip) -> list[str]:
  """Formats the plan as lines; what does not fit comes last."""
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
