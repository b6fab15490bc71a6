"""A training step by PyTorch Transformers: the peer of `train_step`."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

MODES = ("eager", "compiled")
NO_LABEL = -100
_CLASSES = {
  "clm": "GPT2LMHeadModel",
  "mlm": "BertForMaskedLM",
  "span_corruption": "T5ForConditionalGeneration",
}


def make(
  objective: str,
  directory: str,
  problem: dict[str, np.ndarray],
  mode: str,
  learning_rate: float,
  warm: int = 2,
  device: str = "cpu",
  dtype: str = "float32",
  whole: bool = False,
) -> tuple[dict[str, Any], Any]:
  """Facts (loss, norm of the gradients) and a step.

  Args:
    objective: of lm_jax.
    directory: of the model, or of both models of an ELECTRA.
    problem: int32 arrays as Transformers takes them.
    mode: of MODES.
    learning_rate: of AdamW.
    warm: steps before any is timed; torch.compile does its work there.
    device: "cpu" or "cuda", where the optimizer is fused, and where a step
      returns before it is done.
    dtype: of the products of matrices; "bfloat16" is automatic mixed
      precision (autocast), with float32 parameters and residuals.
    whole: do tokens see all of their row, or all before them? Then attention
      is given no mask, which flash attention can't read. Transformers makes
      one for each causal model that is compiled, with PyTorch before 2.14.
  """
  import torch
  import transformers

  given = {
    name: torch.tensor(value.astype(np.int64), device=device)
    for name, value in problem.items()
  }
  load = functools.partial(_load, device=device, whole=whole)
  if objective == "rtd":
    loss, parameters, check = _electra(directory, given, mode, load)
  else:
    model = load(_CLASSES[objective], directory)
    if objective == "clm":
      model.config.use_cache = False
    parameters = list(model.parameters())
    called = torch.compile(model) if mode == "compiled" else model
    # A cache that nobody reads is copies of all keys and values.
    apart = objective == "span_corruption" and device != "cpu"
    options = {"use_cache": False} if apart else {}

    def loss() -> Any:
      return called(**given, **options).loss

    check = loss
  optimizer = torch.optim.AdamW(
    parameters,
    learning_rate,
    betas=(0.9, 0.98),
    weight_decay=0.1,
    fused=True if device == "cuda" else None,
  )
  mixed = torch.autocast(device, torch.bfloat16, enabled=dtype == "bfloat16")
  with mixed:
    first = check()
  first.backward()
  # In float64: PyTorch's own norm sums millions of squares in float32, and is
  # off by 8e-4 of it for an embedding of 30,000 x 256.
  squares = [(p.grad.double() ** 2).sum() for p in parameters]
  norm = torch.stack(squares).sum().sqrt()

  def step() -> None:
    optimizer.zero_grad(set_to_none=True)
    with mixed:
      value = loss()
    value.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()

  for _ in range(warm):
    step()
  version = f"torch {torch.__version__}, "
  version += f"transformers {transformers.__version__}, "
  version += f"{torch.get_num_threads()} threads"
  return {"loss": first.item(), "norm": norm.item(), "version": version}, step


def _load(name: str, directory: str, device: str, whole: bool) -> Any:
  """A model of that class, to be trained."""
  import transformers
  from transformers.integrations import sdpa_attention

  def unmasked(module, query, key, value, mask, **options):
    return sdpa_attention.sdpa_attention_forward(
      module, query, key, value, None, **options
    )

  options = {}
  if whole:
    options["attn_implementation"] = "whole_rows"
    transformers.AttentionInterface.register("whole_rows", unmasked)
  model = getattr(transformers, name).from_pretrained(directory, **options)
  return model.to(device).train()


def _electra(directory: str, given: Any, mode: str, load: Any) -> Any:
  """The joint loss, all parameters, and the loss with the draw told."""
  import torch

  generator = load("ElectraForMaskedLM", f"{directory}/generator")
  discriminator = load("ElectraForPreTraining", f"{directory}/discriminator")
  shared = discriminator.electra.embeddings
  generator.electra.embeddings = shared
  generator.generator_lm_head.weight = shared.word_embeddings.weight
  parameters = {
    id(p): p for model in (generator, discriminator) for p in model.parameters()
  }
  masked, labels, original = (
    given[name] for name in ("input_ids", "labels", "original")
  )
  # Numbers of places: a GPU would have to be waited for to count them.
  chosen = (labels != NO_LABEL).nonzero(as_tuple=True)
  first, second = generator, discriminator
  if mode == "compiled":
    first, second = torch.compile(generator), torch.compile(discriminator)

  def joint(corrupt: Any = None) -> Any:
    out = first(input_ids=masked, labels=labels)
    if corrupt is None:
      with torch.no_grad():
        share = out.logits[chosen].softmax(dim=-1)
        corrupt = original.clone()
        corrupt[chosen] = torch.multinomial(share, 1)[:, 0]
    replaced = (corrupt != original).long()
    found = second(input_ids=corrupt, labels=replaced)
    return out.loss + 50.0 * found.loss

  return joint, list(parameters.values()), lambda: joint(given["corrupt"])
