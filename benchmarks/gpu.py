"""Model FLOPs utilisation of a training step on one GPU, beside PyTorch.

    pip install -e '.[compare]'
    python -m benchmarks.gpu --to=docs/speed_gpu.md
    python -m benchmarks.gpu --case=clm-124M --case=rtd-base
    python -m benchmarks.gpu --tiny  # the same path with toys, on any backend

Both sides start from the same parameters (ours, exported), read the same
tokens and have the same optimizer (AdamW, clipping at 1), no dropout, and
mixed precision over float32 parameters and moments: Trunk.dtype="bfloat16"
here; there torch.autocast in bfloat16 around the loss, which keeps residuals
in float32, fused AdamW, torch.compile, and scaled dot product attention that
is given no mask where none is needed, so that it may be flash attention.

In bfloat16 the losses may be 2 % apart and the norms of the gradients 5 %: that
is compared before anything is told. The model FLOPs of a step are those that
lm_jax counts, with square attention, for both sides; MFU is what they make a
second, by what large products of bfloat16 matrices make. All take turns.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import dataclasses
import datetime
import importlib.metadata
import multiprocessing
import os
import pathlib
import platform
import re
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks import _transformers_train as theirs_lib
from benchmarks import peers, train_step

PACKAGES = ("jax", "flax", "torch", "transformers")
# How far apart the sides may be, relatively, by the dtype.
TOLERANCES = {
  "float32": {"loss": 1e-4, "norm": 1e-4},
  "bfloat16": {"loss": 2e-2, "norm": 5e-2},
}
# Steps that are timed as one: only at their end the GPU is waited for.
STEPS = 4
ROUNDS, SAMPLES = 4, 3
OURS, THEIRS = SIDES = ("lm_jax", "PyTorch")


@dataclasses.dataclass(frozen=True)
class Job:
  """A case, and whether its sides run one after the other.

  Where both would not fit the card at once, each takes turns with the products
  alone.
  """

  objective: str
  case: train_step.Case
  apart: bool = False


def _job(objective: str, shape: str, apart: bool = False, **more: Any) -> Job:
  """Of "layers x width x heads, vocabulary, batch x length"."""
  numbers = map(int, re.findall(r"\d+", shape))
  names = ("layers", "width", "heads", "vocabulary", "batch", "length")
  changes = dict(zip(names, numbers, strict=True)) | more
  case = dataclasses.replace(train_step.CASES[objective], **changes)
  return Job(objective, case, apart)


# Published shapes; vocabularies are filled up to a multiple of 64.
JOBS = {
  "clm-124M": _job("clm", "12 x 768 x 12, 50304, 16 x 1024"),
  "clm-350M": _job("clm", "24 x 1024 x 16, 50304, 8 x 1024"),
  "mlm-base": _job("mlm", "12 x 768 x 12, 30528, 32 x 512"),
  "clm-1.3B": _job("clm", "24 x 2048 x 16, 50304, 8 x 1024", apart=True),
  # The generator of ELECTRA base has a third of its width.
  "rtd-base": _job("rtd", "12 x 768 x 12, 30528, 32 x 512", generator=1 / 3),
  "span_corruption-base": _job(
    "span_corruption", "12 x 768 x 12, 32128, 32 x 512"
  ),
  "mlm-large": _job("mlm", "24 x 1024 x 16, 30528, 16 x 512"),
}
TOYS = {
  f"{name}-tiny": _job(name, "2 x 64 x 2, 512, 2 x 64", apart=name == "mlm")
  for name in train_step.CASES
}


def guarded(make: Callable[..., Any], *args: Any) -> tuple[Any, Any]:
  """Facts, and the step that `make(facts, *args)` makes while it adds to them.

  Where it can't, the facts tell why it "failed".
  """
  facts: dict[str, Any] = {}
  try:
    return facts, make(facts, *args)
  except Exception as error:
    traceback.print_exc()
    text = f"{type(error).__name__}: {error}".strip(": ")
    if re.search("resource_exhausted|out ?of ?memory", text, re.IGNORECASE):
      text = "out of memory"
    return facts | {"failed": text.splitlines()[0][:200]}, None


def make_ours(facts: Any, job: Job, dtype: str, directory: str) -> Any:
  """A step of lm_jax; its parameters are written to `directory`."""
  import jax

  from lm_jax.training import program

  plan = train_step.make_plan(job.objective, job.case, dtype=dtype)
  compiled = program.compile_plan(plan)
  box = [compiled.initial(np.uint32(0))]
  rows = compiled.place_rows(train_step.make_rows(job.case))

  @jax.jit
  def first(key_data, rows):
    """The problem of the first step."""
    key = jax.random.fold_in(jax.random.wrap_key_data(key_data), 0)
    return plan.objective.make(jax.random.split(key, 3)[0], rows, plan.spec)

  problem = first(box[0].key, rows)
  model = train_step.write(job.objective, compiled, box[0].params, directory)
  # Multiples of 8 are what the fast kernels read.
  found = train_step.arrays(job.objective, plan, problem, model.params, 8)
  facts |= {
    "problem": found,
    "flops": compiled.flops,
    "parameters": compiled.parameters,
  }

  def run(count: int) -> Any:
    for _ in range(count):
      box[0], metrics = compiled.step(box[0], rows, np.float32(0.5))
    return jax.block_until_ready((box[0], metrics))[1]

  metrics = run(1)
  run(1)
  memory = jax.devices()[0].memory_stats() or {}
  kernel = re.compile("fmha|atten|flash|triton|mosaic")
  called = re.findall(r'custom_call_target="([^"]+)"', compiled.step.as_text())
  facts |= {
    "loss": float(metrics["loss"]),
    "norm": float(metrics["grad_norm"]),
    "peak": memory.get("peak_bytes_in_use", 0),
    "fused": {x for x in called if kernel.search(x)},
  }
  return lambda: run(STEPS)


def make_theirs(
  facts: Any,
  job: Job,
  dtype: str,
  directory: str,
  device: str,
  mode: str,
  told: Any,
) -> Any:
  """A step of PyTorch, once the connection `told` has the problem."""
  # Slow to import: it is done by the time that the problem comes.
  import torch
  import transformers  # noqa: F401

  problem = told.recv()
  found, one = theirs_lib.make(
    job.objective,
    directory,
    problem,
    mode,
    train_step.LEARNING_RATE,
    device=device,
    dtype=dtype,
    whole=job.objective != "span_corruption",
  )
  cuda = device == "cuda"
  peak = torch.cuda.max_memory_allocated() if cuda else 0
  activity = torch.profiler.ProfilerActivity.CPU
  with torch.profiler.profile(activities=[activity]) as profile:
    one()
  called = {event.key for event in profile.key_averages()}
  kernel = re.compile(r"aten::_scaled_dot_product_(?!.*_backward)(.+)")
  fused = {match[1] for match in map(kernel.fullmatch, called) if match}

  def step() -> None:
    for _ in range(STEPS):
      one()
    if cuda:
      torch.cuda.synchronize()

  step()
  facts |= found | {"peak": peak, "fused": fused}
  return step


def make_products(facts: Any, size: int) -> Any:
  """Products of bfloat16 [size, size], one after another, and their FLOPs."""
  import jax
  import jax.numpy as jnp

  count = 16
  x, y = jax.random.normal(jax.random.key(0), (2, size, size), jnp.bfloat16)
  y = y * size**-0.5  # So that products of products stay as large.

  @jax.jit
  def product(x, y):
    for _ in range(count):  # A loop of XLA's would copy x.
      x = x @ y
    return x

  def step() -> None:
    for _ in range(STEPS):
      found = product(x, y)
    found.block_until_ready()

  step()
  facts["flops"] = STEPS * count * 2 * size**3
  return step


def start(
  make: Callable[..., Any], *args: Any
) -> tuple[peers.Contestant | None, dict[str, Any]]:
  """A contestant and its facts; or None and those that there are."""
  try:
    contestant = peers.Contestant(guarded, make, *args)
  except (EOFError, OSError):
    return None, {"failed": "its process ended"}
  if "failed" not in contestant.facts:
    return contestant, contestant.facts
  stop(contestant)
  return None, contestant.facts


def stop(contestant: peers.Contestant) -> None:
  with contextlib.suppress(OSError):  # It may have ended before.
    contestant.stop()


def measure(
  job: Job, dtype: str, device: str, mode: str, products: peers.Contestant
) -> dict[str, dict[str, Any]]:
  """By side: why it "failed"; or its facts, "times" in seconds a step, and the
  "rate" of the products in the same turns in FLOPs a second."""
  found: dict[str, dict[str, Any]] = {}
  running: dict[str, peers.Contestant] = {}

  def keep(name: str, side: peers.Contestant | None, facts: Any) -> None:
    found[name] = facts
    if side is not None:
      running[name] = side

  def finish() -> None:
    """Times those that run and may be told, and ends all."""
    names = [name for name in running if "failed" not in found[name]]
    contestants = [*(running[name] for name in names), products]
    try:
      if names:
        *times, bare = peers.take_turns(contestants, ROUNDS, SAMPLES)
        rate = products.facts["flops"] / statistics.median(bare)
        for name, own in zip(names, times, strict=True):
          found[name] |= {"rate": rate, "times": [t / STEPS for t in own]}
    except (EOFError, OSError):
      for name in names:
        found[name]["failed"] = "a process ended while they took turns"
    while running:
      stop(running.popitem()[1])

  told, tell = multiprocessing.get_context("spawn").Pipe(duplex=False)
  with (
    tempfile.TemporaryDirectory() as folder,
    concurrent.futures.ThreadPoolExecutor(1) as pool,
  ):
    args = (job, dtype, f"{folder}/model")
    theirs = pool.submit(start, make_theirs, *args, device, mode, told)
    keep(OURS, *start(make_ours, *args))
    if job.apart:
      finish()
    if "problem" in found[OURS]:
      tell.send(found[OURS].pop("problem"))
    tell.close()  # Without a problem the other side ends.
    keep(THEIRS, *theirs.result())
  for name, most in TOLERANCES[dtype].items():
    pair = [found[side][name] for side in SIDES if name in found[side]]
    if len(pair) == 2 and not abs(pair[0] - pair[1]) <= most * abs(pair[0]):
      for side in SIDES:
        found[side]["failed"] = f"{name}s differ: {pair[0]:g}, {pair[1]:g}"
  finish()
  return found


def within(seconds: float, *args: Any) -> Any:
  """`measure`, with all processes ended when so many seconds are over."""
  if seconds <= 0:
    return "not run: the time was used up"
  with concurrent.futures.ThreadPoolExecutor(1) as pool:
    later = pool.submit(measure, *args)
    try:
      return later.result(timeout=seconds)
    except concurrent.futures.TimeoutError:
      for process in multiprocessing.active_children():
        process.terminate()
      return "not finished: the time was used up"


def row(name: str, job: Job, side: str, found: Mapping[str, Any]) -> str:
  """Of the table in `page`."""
  facts = found[side]
  if "failed" in facts:
    return f"| {name} | {side} | {facts['failed']} | | | | | |"
  low, middle, high = statistics.quantiles(facts["times"], n=4)
  mfu = found[OURS].get("flops", np.nan) / middle / facts["rate"]
  cells = (
    f"{1e3 * middle:.1f} ms ({1e3 * low:.1f} to {1e3 * high:.1f})",
    f"{job.case.batch * job.case.length / middle:,.0f}",
    f"{mfu:.1%}",
    f"{facts['rate'] / 1e12:.3g}",
    f"{facts['peak'] / 2**30:.1f}",
    ", ".join(sorted(facts["fused"])) or "none seen",
  )
  return f"| {name} | {side} | {' | '.join(cells)} |"


def note(name: str, job: Job, found: Mapping[str, Any]) -> str:
  """What was trained, and what both sides have in common."""
  case, (ours, theirs) = job.case, (found[side] for side in SIDES)
  text = (
    f"{name}: {case.layers} layers x {case.width}, {case.heads} heads,"
    f" vocabulary {case.vocabulary:,}, batch {case.batch} x {case.length:,}"
  )
  if job.apart:
    text += ", one side after the other"
  if "flops" in ours:
    text += f"; {ours['parameters'] / 1e6:,.1f} M parameters"
    text += f", {ours['flops'] / 1e12:.3g} TFLOP a step"
  for fact, title in (("loss", "losses"), ("norm", "gradient norms")):
    if fact in ours and fact in theirs:
      text += f"; {title} {ours[fact]:.5g} and {theirs[fact]:.5g}"
  if "failed" not in ours | theirs:
    a, b = (statistics.median(side["times"]) for side in (ours, theirs))
    text += f"; lm_jax by PyTorch {a / b:.2f}"
  return f"- {text}."


def page(title: str, jobs: Mapping[str, Job], found: Mapping[str, Any]) -> str:
  """docs/speed_gpu.md.

  Args:
    title: the card, versions and the date.
    jobs: by name.
    found: by name, of those that are over; what `within` gave.
  """
  lines = [
    "# Speed on a GPU",
    "",
    title,
    "",
    f"A step: median and middle half of {ROUNDS * SAMPLES} x {STEPS}, mixed"
    " precision, AdamW, clipping, no dropout. MFU: model FLOPs as",
    "lm_jax counts them, for both sides, by what the products of bfloat16"
    " matrices make in the same turns. Of mlm and rtd",
    "PyTorch computes the logits of all tokens and lm_jax those of the chosen"
    " ones; of span_corruption lm_jax computes more padding.",
    "",
    "| | | a step | tokens a second | MFU | products, TFLOP/s | peak, GiB |"
    " fused attention |",
    "|---|---|--:|--:|--:|--:|--:|---|",
  ]
  notes = [""]
  for name, job in jobs.items():
    one = found.get(name, "not run yet")
    if isinstance(one, str):
      lines.append(f"| {name} | | {one} | | | | | |")
    else:
      lines += [row(name, job, side, one) for side in SIDES]
      notes.append(note(name, job, one))
  return "\n".join([*lines, *notes]) + "\n"


def heading(dtype: str, mode: str) -> str:
  """The card, its driver where jax can tell, versions and the date."""
  import jax

  told = jax.print_environment_info(return_string=True) or ""
  driver = re.search(r"Driver Version:\s*[\d.]+", told)
  facts = [
    jax.devices()[0].device_kind,
    *([driver[0].lower().replace(" version:", "")] if driver else []),
    f"python {platform.python_version()}",
    *(f"{p} {importlib.metadata.version(p)}" for p in PACKAGES),
  ]
  return (
    f"`python -m benchmarks.gpu`, {datetime.date.today()}, {', '.join(facts)};"
    f" {dtype}, PyTorch {mode}."
  )


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
  parser.add_argument("--case", action="append", choices=[*JOBS, *TOYS])
  parser.add_argument(
    "--seconds", type=float, default=540, help="when it ends, done or not"
  )
  parser.add_argument("--to", help="a file, written anew after each case")
  parser.add_argument("--dtype", choices=tuple(TOLERANCES), default="bfloat16")
  parser.add_argument(
    "--tiny", action="store_true", help="toys, on any backend; PyTorch is eager"
  )
  options = parser.parse_args()
  known = TOYS if options.tiny else JOBS
  jobs = {name: known[name] for name in options.case or known if name in known}
  if not jobs:
    parser.error("--case: the tiny ones need --tiny, the others go without")
  if options.tiny and options.to:
    parser.error("--to: --tiny shows that everything runs, not how fast")
  end = time.monotonic() + options.seconds
  # Processes share the card: none may take most of it at once, each may later.
  os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
  if "XLA_PYTHON_CLIENT_MEM_FRACTION" not in os.environ:
    os.environ.setdefault("XLA_CLIENT_MEM_FRACTION", "0.95")
  import jax

  backend = jax.default_backend()
  if backend != "gpu" and not options.tiny:
    raise SystemExit(f"benchmarks.gpu: no GPU here (jax sees: {backend})")
  device = "cuda" if backend == "gpu" else "cpu"
  mode = "eager" if options.tiny else "compiled"
  title = heading(options.dtype, mode)
  products, facts = start(make_products, 256 if options.tiny else 8192)
  if products is None:
    raise SystemExit(f"benchmarks.gpu: no products: {facts['failed']}")
  found: dict[str, Any] = {}
  for name, job in jobs.items():
    left = end - time.monotonic()
    found[name] = within(left, job, options.dtype, device, mode, products)
    print(f"{name}: {end - time.monotonic():.0f} s left", file=sys.stderr)
    if options.to:
      text = page(title, jobs, found)
      pathlib.Path(options.to).write_text(text, encoding="utf-8")
  stop(products)
  print(page(title, jobs, found), end="")
  cases = [one for one in found.values() if isinstance(one, dict)]
  sides = [one[side] for one in cases for side in SIDES]
  if len(cases) < len(jobs) or any("failed" in facts for facts in sides):
    raise SystemExit("benchmarks.gpu: not everything was measured")


if __name__ == "__main__":
  main()
