"""Peak memory of an import and of its way back, over the size of the weights.

    python -m benchmarks.import_memory                     # 124M, 1 minute
    python -m benchmarks.import_memory --parameters=1.5e9  # 19 GB of disk

A random GPT-2 in float32, without a tokenizer, is written to a temporary
directory. Then each in a process of its own: the commands `import` and
`export`, `lm_jax.load` with one call of the logits, and for comparison
orbax's StandardCheckpointer as it comes, which saves the same arrays and
restores them. Memory is what the kernel counts as resident, files that are
mapped (libraries) included. What an idle process has, with jax and orbax
imported, is shown by itself; "above idle" leaves it out.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).parent.parent
VOCABULARY, POSITIONS = 50257, 1024
SIZES = ((12, 768), (24, 1024), (36, 1280), (48, 1600))  # layers, width


class Peak(NamedTuple):
  """Of one process: most bytes resident, and seconds."""

  resident: int
  seconds: float


def shapes(layers: int, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
  """GPT-2's tensors, by their names in Transformers."""
  yield "wte.weight", (VOCABULARY, width)
  yield "wpe.weight", (POSITIONS, width)
  norms = [f"h.{i}.ln_{k}" for i in range(layers) for k in (1, 2)]
  for norm in [*norms, "ln_f"]:
    yield f"{norm}.weight", (width,)
    yield f"{norm}.bias", (width,)
  for i in range(layers):
    for name, rows, columns in (
      ("attn.c_attn", width, 3 * width),
      ("attn.c_proj", width, width),
      ("mlp.c_fc", width, 4 * width),
      ("mlp.c_proj", 4 * width, width),
    ):
      yield f"h.{i}.{name}.weight", (rows, columns)
      yield f"h.{i}.{name}.bias", (columns,)


def write_model(directory: Path, parameters: float) -> int:
  """Writes the size that is nearest to so many parameters; its bytes."""
  from lm_jax.hugging_face.weights import write

  def count(size: tuple[int, int]) -> int:
    return sum(math.prod(shape) for _, shape in shapes(*size))

  size = min(SIZES, key=lambda size: abs(count(size) - parameters))
  rng = np.random.default_rng(0)

  def make(shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape, np.float32)

  write(
    directory,
    [
      (name, np.dtype(np.float32), shape, functools.partial(make, shape))
      for name, shape in shapes(*size)
    ],
  )
  layers, width = size
  config = {
    "model_type": "gpt2",
    "architectures": ["GPT2LMHeadModel"],
    "vocab_size": VOCABULARY,
    "n_positions": POSITIONS,
    "n_layer": layers,
    "n_embd": width,
    "n_head": width // 64,
  }
  (directory / "config.json").write_text(json.dumps(config), "utf-8")
  return 4 * count(size)


def measure(command: Sequence[str], cache: Path) -> Peak:
  """Runs a command, which must succeed, and asks the kernel for its peak."""
  start = time.perf_counter()
  process = subprocess.Popen(
    [sys.executable, *command],
    cwd=ROOT,
    env=os.environ | {"LM_JAX_CACHE": str(cache)},
    stdout=subprocess.DEVNULL,
  )
  _, status, usage = os.wait4(process.pid, 0)
  process.returncode = os.waitstatus_to_exitcode(status)
  if process.returncode:
    raise subprocess.CalledProcessError(process.returncode, command)
  return Peak(1024 * usage.ru_maxrss, time.perf_counter() - start)


def _job(job: str, model: Path, checkpoint: Path) -> None:
  """What a process does that is no command."""
  from lm_jax.devices import memory

  memory.keep_freed_memory()  # as the command line does
  import flax.linen as nn
  import jax
  import orbax.checkpoint as ocp

  import lm_jax

  if job == "idle":
    jax.block_until_ready(jax.jit(lambda x: x + 1)(1.0))
    return
  if job == "load":
    lm_jax.load(model).logits(np.arange(64)[None])
    return
  from lm_jax.hugging_face import pretrained

  foreign = pretrained.read(str(model))
  with ocp.StandardCheckpointer() as checkpointer:
    if job == "orbax save":
      checkpointer.save(checkpoint, pretrained.parameters(foreign))
    else:
      device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
      shapes = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=device),
        nn.unbox(foreign.model.boxed),
      )
      checkpointer.restore(checkpoint, shapes)


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
  parser.add_argument("--parameters", type=float, default=124e6)
  parser.add_argument("--directory", help="for temporary files")
  parser.add_argument("--job", nargs=3, help=argparse.SUPPRESS)
  options = parser.parse_args()
  if options.job:
    job, model, checkpoint = options.job
    _job(job, Path(model), Path(checkpoint))
    return
  with tempfile.TemporaryDirectory(dir=options.directory) as temporary:
    directory = Path(temporary)
    model, run, back, peer = (
      str(directory / name) for name in ("model", "run", "back", "peer")
    )
    size = write_model(Path(model), options.parameters)
    print(f"{size / 4e6:.0f}M parameters, {size / 1e9:.2f} GB of float32")
    own = ["-m", "benchmarks.import_memory", "--job"]
    peaks: dict[str, Peak] = {}
    for job, command in {
      "idle": [*own, "idle", model, peer],
      "import": ["launch.py", "import", f"--model={model}", f"--workdir={run}"],
      "export": ["launch.py", "export", f"--model={run}", f"--to={back}"],
      "load": [*own, "load", run, peer],
      "orbax save": [*own, "orbax save", model, peer],
      "orbax restore": [*own, "orbax restore", model, peer],
    }.items():
      peaks[job] = peak = measure(command, directory / "cache")
      above = peak.resident - peaks["idle"].resident
      print(
        f"{job:13}  peak {peak.resident / 1e9:5.2f} GB, "
        f"{peak.resident / size:.2f} of the weights; above idle "
        f"{above / size:.2f}; {peak.seconds:.0f} s",
        flush=True,
      )
      if job == "export":
        shutil.rmtree(back)
  for job, other in (("import", "orbax save"), ("load", "orbax restore")):
    ratio = peaks[job].resident / peaks[other].resident
    print(f"ratio of peaks, {job} to {other}: {ratio:.2f}")


if __name__ == "__main__":
  main()
