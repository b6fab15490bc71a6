"""One training step of clm against Transformers' GPT-2 in PyTorch, on a CPU.

    pip install torch==2.13.0 transformers && python -m benchmarks.train_step

Float32, 6 layers x 384, 6 heads, batch 16 x 256, 65 characters; learned
positions, biases, tied embeddings, no dropout; AdamW and clipping at 1 on both
sides. Both start from the same parameters and read the same tokens; the
losses are compared before anything is timed.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

import numpy as np

from benchmarks import peers

LAYERS, WIDTH, HEADS, BATCH, LENGTH, VOCABULARY = 6, 384, 6, 16, 256, 65
LEARNING_RATE = 1e-3


def tokens() -> np.ndarray:
  """The batch that both read: int32 [B, T]."""
  generator = np.random.default_rng(0)
  return generator.integers(0, VOCABULARY, (BATCH, LENGTH), dtype=np.int32)


def make_ours() -> tuple[dict[str, Any], Any]:
  """Facts (loss, parameters, FLOPs) and a step of lm_jax."""
  from lm_jax.devices import memory

  memory.keep_freed_memory()  # as the command line does
  import jax

  from lm_jax.devices import sharding
  from lm_jax.models.network import Network
  from lm_jax.objectives.clm import CausalLM
  from lm_jax.training import ledger, optim, program
  from lm_jax.types import Rows, Spec, Specials, Trunk

  trunk = Trunk(
    layers=LAYERS,
    width=WIDTH,
    heads=HEADS,
    feedforward=4 * WIDTH,
    vocabulary=VOCABULARY,
    max_positions=LENGTH,
    positions="learned",
    bias=True,
  )
  spec = Spec("causal_decoder", LENGTH, VOCABULARY, Specials())
  plan = program.Plan(
    objective=CausalLM(),
    network=Network((("main", trunk),)),
    spec=spec,
    batch_size=BATCH,
    accumulate=1,
    optimizer=optim.OptimizerOptions(
      learning_rate=LEARNING_RATE, schedule="constant", warmup=0.0
    ),
    budget=ledger.Budget("steps", 1000),
    mesh=sharding.make_mesh(),
  )
  compiled = program.compile_plan(plan)
  state = compiled.initial(np.uint32(0))
  ones = np.ones((BATCH, LENGTH), np.int32)
  rows = compiled.place(Rows(tokens(), ones, 0 * ones, 0 * ones, ones))
  loss = compiled.validation_loss(state.params, [rows])
  facts = {
    "loss": loss,
    "params": jax.device_get(state.params),
    "flops": compiled.flops,
    "version": f"jax {jax.__version__}",
  }
  box = [state]

  def step() -> None:
    box[0], metrics = compiled.step(box[0], rows, np.float32(0.5))
    jax.block_until_ready((box[0], metrics))

  return facts, step


def make_theirs(params: dict[str, Any]) -> tuple[dict[str, Any], Any]:
  """Facts and a step of Transformers' GPT-2 with the same parameters."""
  import torch
  import transformers

  config = transformers.GPT2Config(
    vocab_size=VOCABULARY,
    n_positions=LENGTH,
    n_embd=WIDTH,
    n_layer=LAYERS,
    n_head=HEADS,
    activation_function="gelu_new",
    resid_pdrop=0.0,
    embd_pdrop=0.0,
    attn_pdrop=0.0,
    bos_token_id=0,
    eos_token_id=0,
  )
  model = transformers.GPT2LMHeadModel(config)
  state = {k: torch.tensor(v) for k, v in _gpt2_names(params).items()}
  missing, unexpected = model.load_state_dict(state, strict=False)
  if unexpected or set(missing) - {"lm_head.weight"}:
    raise ValueError(f"missing {missing}, unexpected {unexpected}")
  model.tie_weights()
  optimizer = torch.optim.AdamW(
    model.parameters(), LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.1
  )
  ids = torch.tensor(tokens().astype(np.int64))
  with torch.no_grad():
    loss = float(model(ids, labels=ids).loss)

  def step() -> None:
    optimizer.zero_grad(set_to_none=True)
    model(ids, labels=ids, use_cache=False).loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()

  version = f"torch {torch.__version__}, "
  version += f"transformers {transformers.__version__}, "
  version += f"{torch.get_num_threads()} threads"
  return {"loss": loss, "version": version}, step


def _gpt2_names(params: dict[str, Any]) -> dict[str, np.ndarray]:
  """Our parameters under GPT-2's names; its projections are [in, out] too."""
  embedder, blocks = params["embedder_main"], params["stack_main"]["blocks"]
  out = {
    "transformer.wte.weight": embedder["embedding"],
    "transformer.wpe.weight": embedder["position_embedding"],
    "transformer.ln_f.weight": blocks["final_norm"]["scale"],
    "transformer.ln_f.bias": blocks["final_norm"]["bias"],
  }
  for i in range(LAYERS):
    layer, name = blocks[f"layer_{i}"], f"transformer.h.{i}"
    attention, feedforward = layer["attention"], layer["feedforward"]
    for theirs, ours in (("ln_1", "attention"), ("ln_2", "feedforward")):
      out[f"{name}.{theirs}.weight"] = layer[f"{ours}_norm"]["scale"]
      out[f"{name}.{theirs}.bias"] = layer[f"{ours}_norm"]["bias"]
    for theirs, ours in (("weight", "kernel"), ("bias", "bias")):
      qkv = [attention[part][ours] for part in ("query", "key", "value")]
      out[f"{name}.attn.c_attn.{theirs}"] = np.concatenate(qkv, axis=-1)
      out[f"{name}.attn.c_proj.{theirs}"] = attention["out"][ours]
      out[f"{name}.mlp.c_fc.{theirs}"] = feedforward["up"][ours]
      out[f"{name}.mlp.c_proj.{theirs}"] = feedforward["down"][ours]
  return out


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
  parser.add_argument("--rounds", type=int, default=5)
  parser.add_argument("--steps", type=int, default=3, help="steps a turn")
  options = parser.parse_args()
  ours = peers.Contestant(make_ours)
  theirs = peers.Contestant(make_theirs, ours.facts["params"])
  a, b = ours.facts["loss"], theirs.facts["loss"]
  if abs(a - b) > 1e-4:
    raise ValueError(f"the losses differ: {a} and {b}")
  own, other = peers.alternate(ours, theirs, options.rounds, options.steps)
  for contestant in (ours, theirs):
    contestant.stop()
  rate = ours.facts["flops"] / statistics.median(own) / 1e9
  ratio = statistics.median(own) / statistics.median(other)
  print(f"loss before: {a:.5f} and {b:.5f}")
  print(f"lm_jax        {peers.spread(own)}, {rate:.0f} GFLOP/s")
  print(f"Transformers  {peers.spread(other)}")
  print(f"ratio of medians {ratio:.2f} ({ours.facts['version']};")
  print(f"  {theirs.facts['version']})")


if __name__ == "__main__":
  main()
