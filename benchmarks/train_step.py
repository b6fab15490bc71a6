"""A training step of an objective against Transformers in PyTorch, on a CPU.

    pip install -e '.[compare]' && python -m benchmarks.train_step
    python -m benchmarks.train_step --objective=mlm --objective=rtd

Both sides start from the same parameters (ours, exported), read the same
tokens, and have the same optimizer (AdamW, clipping at 1), no dropout and
float32; the losses and the norms of the gradients are compared before anything
is timed. PyTorch runs eager and compiled. The floor is what bare products of
matrices take for the model FLOPs of the step. All take turns.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import tempfile
from typing import Any

import numpy as np

from benchmarks import _transformers_train as theirs_lib
from benchmarks import peers
from lm_jax.config import optimizer
from lm_jax.inference import load
from lm_jax.training import plan as plan_lib

LEARNING_RATE = 1e-3
MODES = theirs_lib.MODES


@dataclasses.dataclass(frozen=True)
class Case:
  """What is trained: a published shape at another size, and a batch of it."""

  preset: str
  layers: int
  width: int
  heads: int
  vocabulary: int
  batch: int
  length: int
  architecture: str
  target: float
  generator: float = 0.25


CASES = {
  "clm": Case("gpt2", 6, 384, 6, 65, 16, 256, "causal_decoder", 1.0),
  "mlm": Case("bert", 4, 256, 4, 30000, 32, 128, "encoder", 0.4),
  "rtd": Case("bert", 4, 256, 4, 30000, 32, 128, "encoder", 0.7),
  "span_corruption": Case(
    "t5", 4, 256, 4, 30000, 32, 128, "encoder_decoder", 1.0
  ),
}


def make_rows(case: Case) -> Any:
  """The batch that both read: a document a row, of random tokens."""
  from lm_jax.types import ANSWER, Rows, Specials

  generator = np.random.default_rng(0)
  low = min(200, case.vocabulary // 2)
  shape = (case.batch, case.length)
  tokens = generator.integers(low, case.vocabulary, shape, dtype=np.int32)
  tokens[:, 0] = Specials().boundary
  ones = np.ones_like(tokens)
  word = np.broadcast_to(np.arange(case.length, dtype=np.int32), shape)
  return Rows(tokens, ones, word, 0 * ones, ANSWER * ones)


def make_plan(objective: str, case: Case, **trunk_options: Any) -> Any:
  """What is trained, with more options of the trunk."""
  from lm_jax.config import budget
  from lm_jax.devices import sharding
  from lm_jax.models import sizes
  from lm_jax.models.network import Network
  from lm_jax.objectives.base import Objective
  from lm_jax.support import registry
  from lm_jax.types import Spec, Specials

  trunk = dataclasses.replace(
    sizes.PRESETS[case.preset],
    architecture=case.architecture,
    layers=case.layers,
    width=case.width,
    heads=case.heads,
    feedforward=4 * case.width,
    vocabulary=case.vocabulary,
    max_positions=case.length,
    dropout=0.0,
    attention_dropout=0.0,
    **trunk_options,
  )
  if objective == "rtd":  # Its discriminator predicts no tokens.
    trunk = dataclasses.replace(trunk, embedding_width=case.width)
  options = {"generator": case.generator} if objective == "rtd" else {}
  made = registry.find("lm_jax.objectives", objective, Objective, "")(**options)
  spec = Spec(case.architecture, case.length, case.vocabulary, Specials())
  return plan_lib.Plan(
    objective=made,
    network=Network(
      plan_lib.trunks_of(made, trunk), plan_lib.heads_of(made, spec)
    ),
    spec=spec,
    batch_size=case.batch,
    accumulate=1,
    optimizer=optimizer.OptimizerOptions(
      learning_rate=LEARNING_RATE, schedule="constant", warmup=0.0
    ),
    budget=budget.Budget("steps", 1000),
    mesh=sharding.make_mesh(),
  )


def write(objective: str, compiled: Any, params: Any, directory: str) -> Any:
  """Writes a model where Transformers reads it, and returns it.

  Args:
    objective: its name.
    compiled: the program.
    params: of the model.
    directory: a new one.
  """
  from lm_jax.config import Config
  from lm_jax.hugging_face import export

  config = Config(objective=objective)
  model = load.from_plan(config, None, compiled.plan, params)
  export.save(model, directory)
  return model


def make_ours(objective: str, case: Case, directory: str) -> tuple[Any, Any]:
  """Facts and a step of lm_jax; its parameters are written to `directory`."""
  from lm_jax.devices import memory

  memory.keep_freed_memory()  # as the command line does
  import jax

  from lm_jax.training import optim, program

  plan = make_plan(objective, case)
  compiled = program.compile_plan(plan)
  state = compiled.initial(np.uint32(0))
  rows = compiled.place_rows(make_rows(case))
  key = jax.random.key(0)
  problem = plan.objective.make(key, rows, plan.spec)
  (loss, _), grads = jax.jit(compiled._gradients)(
    state.params, problem, key, key
  )
  write(objective, compiled, state.params, directory)
  facts = {
    "loss": float(loss),
    "norm": float(optim.global_norm(grads)),
    "problem": arrays(objective, plan, problem, state.params),
    "flops": compiled.flops,
    "parameters": compiled.parameters,
    "version": f"jax {jax.__version__}",
  }
  box = [state]

  def step() -> None:
    box[0], metrics = compiled.step(box[0], rows, np.float32(0.5))
    jax.block_until_ready((box[0], metrics))

  return facts, step


def arrays(
  objective: str, plan: Any, problem: Any, params: Any, multiple: int = 1
) -> dict[str, np.ndarray]:
  """The problem as Transformers takes it; labels of -100 bear no loss.

  Columns that are padding in every row are left out where there is a source,
  up to a multiple of so many.
  """
  import jax

  inputs = np.asarray(problem.inputs.tokens_BxT)
  positions, targets = problem.positions_BxP, np.asarray(problem.targets_BxP)
  bear = np.asarray(problem.weights["nll"]) > 0
  labels = np.full(inputs.shape, theirs_lib.NO_LABEL, np.int32)
  at = np.arange(inputs.shape[1]) if positions is None else positions
  at = np.broadcast_to(at, targets.shape)
  row = np.broadcast_to(np.arange(len(inputs))[:, None], targets.shape)
  labels[row[bear], at[bear]] = targets[bear]
  if objective == "clm":
    # Transformers shifts the labels itself.
    labels = np.roll(labels, 1, axis=1)
    labels[:, 0] = theirs_lib.NO_LABEL
  found = {"input_ids": inputs, "labels": labels}
  if problem.source is not None:
    used = (labels != theirs_lib.NO_LABEL).any(axis=0)
    width = int(np.flatnonzero(used)[-1]) // multiple * multiple + multiple
    present = np.asarray(problem.source.segment_BxT) > 0
    last = int(np.flatnonzero(present.any(axis=0))[-1])
    length = last // multiple * multiple + multiple
    found = {
      "input_ids": np.asarray(problem.source.tokens_BxT)[:, :length],
      "attention_mask": present[:, :length].astype(np.int32),
      "decoder_input_ids": inputs[:, :width],
      "labels": labels[:, :width],
    }
  if objective == "rtd":
    found["original"] = np.asarray(problem.extra["original_BxL"])
    corrupt = jax.jit(_corrupted, static_argnums=0)
    found["corrupt"] = np.asarray(corrupt(plan.network, params, problem))
  return found


def _corrupted(network: Any, params: Any, problem: Any) -> Any:
  """What rtd's discriminator reads."""
  import flax.linen as nn
  import jax

  from lm_jax.objectives import rtd

  def logits(net: Any) -> Any:
    state = net.hidden(problem.inputs, stack="generator")
    at = problem.positions_BxP
    return net.head("vocabulary", state, at, stack="generator")

  found = jax.nn.log_softmax(nn.apply(logits, network)({"params": params}))
  return rtd.set_tokens(
    problem.extra["original_BxL"],
    problem.positions_BxP,
    rtd.draw(problem.extra["keys_Bx2"], found),
    problem.weights["nll"] > 0,
  )


def make_floor(case: Case, flops: int) -> tuple[dict[str, Any], Any]:
  """Products of the feed-forward's shapes, of so many FLOPs in all."""
  import jax

  from lm_jax.devices import memory

  memory.keep_freed_memory()
  rows, width, inner = case.batch * case.length, case.width, 4 * case.width
  count = round(flops / (4 * rows * width * inner))
  generator = np.random.default_rng(0)
  shapes = ((rows, width), (width, inner), (inner, width))
  x, up, down = (
    jax.device_put(generator.standard_normal(s, np.float32) / s[-1] ** 0.5)
    for s in shapes
  )
  product = jax.jit(lambda x: (x @ up) @ down)

  def step() -> None:
    y = x
    for _ in range(count):
      y = product(y)
    y.block_until_ready()

  return {"share": flops / (count * 4 * rows * width * inner)}, step


def compare(
  objective: str, rounds: int, steps: int, modes: tuple[str, ...]
) -> dict[str, Any]:
  """Times of an objective's step, in seconds, and what they amount to.

  Raises:
    ValueError: the losses or gradients differ.
  """
  case = CASES[objective]
  with tempfile.TemporaryDirectory() as folder:
    directory = f"{folder}/model"
    ours = peers.Contestant(make_ours, objective, case, directory)
    theirs = [
      peers.Contestant(
        theirs_lib.make,
        objective,
        directory,
        ours.facts["problem"],
        mode,
        LEARNING_RATE,
      )
      for mode in modes
    ]
  for name in ("loss", "norm"):
    for other in theirs:
      a, b = ours.facts[name], other.facts[name]
      if abs(a - b) > 1e-4 * max(1, abs(a)):
        raise ValueError(f"{objective}: the {name}s differ: {a} and {b}")
  floor = peers.Contestant(make_floor, case, ours.facts["flops"])
  contestants = [ours, *theirs, floor]
  times = peers.take_turns(contestants, rounds, steps)
  for contestant in contestants:
    contestant.stop()
  own, *others, bare = times
  bare = [t * floor.facts["share"] for t in bare]
  medians = [statistics.median(t) for t in others]
  best = min(medians)
  return {
    "objective": objective,
    "case": case,
    "facts": ours.facts,
    "versions": f"{ours.facts['version']}, {theirs[0].facts['version']}",
    "times": {"lm_jax": own, **dict(zip(modes, others, strict=True))},
    "floor": bare,
    "ratio": statistics.median(own) / best,
    "above": statistics.median(own) / statistics.median(bare),
  }


def told(found: dict[str, Any]) -> list[str]:
  """The lines of a Markdown section."""
  case, facts = found["case"], found["facts"]
  lines = [
    f"{found['objective']}: {case.layers} layers x {case.width}, vocabulary"
    f" {case.vocabulary:,}, batch {case.batch} x {case.length};"
    f" {facts['flops'] / 1e9:.0f} GFLOP a step; loss {facts['loss']:.5f} and"
    f" gradient norm {facts['norm']:.5f} on both sides.",
    "",
    "| | a step, median (middle half) | |",
    "|---|--:|---|",
  ]
  names = {"lm_jax": "lm_jax", "eager": "PyTorch, eager"}
  names["compiled"] = "PyTorch, torch.compile"
  for name, times in found["times"].items():
    lines.append(f"| {names[name]} | {peers.spread(times)} | |")
  lines.append(f"| floor: bare products | {peers.spread(found['floor'])} | |")
  lines += [
    f"| lm_jax by the faster PyTorch | {found['ratio']:.2f} | at most"
    f" {case.target} |",
    f"| lm_jax by the floor | {found['above']:.2f} | |",
  ]
  return lines


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
  parser.add_argument("--objective", action="append", choices=tuple(CASES))
  parser.add_argument("--rounds", type=int, default=5)
  parser.add_argument("--steps", type=int, default=3, help="steps a turn")
  parser.add_argument(
    "--mode", action="append", choices=MODES, help="of PyTorch"
  )
  options = parser.parse_args()
  for objective in options.objective or list(CASES):
    modes = tuple(options.mode or MODES)
    found = compare(objective, options.rounds, options.steps, modes)
    print("\n".join(told(found)), f"\n{found['versions']}\n", flush=True)


if __name__ == "__main__":
  main()
