"""A training step by PyTorch Transformers: the peer of `train_step`."""

from __future__ import annotations

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
) -> tuple[dict[str, Any], Any]:
  """Facts (loss, norm of the gradients) and a step.

  Args:
    objective: of lm_jax.
    directory: of the model, or of both models of an ELECTRA.
    problem: int32 arrays as Transformers takes them.
    mode: of MODES.
    learning_rate: of AdamW.
  """
  import torch
  import transformers

  given = {
    name: torch.tensor(value.astype(np.int64))
    for name, value in problem.items()
  }
  if objective == "rtd":
    loss, parameters, check = _electra(directory, given, mode)
  else:
    cls = getattr(transformers, _CLASSES[objective])
    model = cls.from_pretrained(directory).train()
    if objective == "clm":
      model.config.use_cache = False
    parameters = list(model.parameters())
    called = torch.compile(model) if mode == "compiled" else model

    def loss() -> Any:
      return called(**given).loss

    check = loss
  optimizer = torch.optim.AdamW(
    parameters, learning_rate, betas=(0.9, 0.98), weight_decay=0.1
  )
  first = check()
  first.backward()
  # In float64: PyTorch's own norm sums millions of squares in float32, and is
  # off by 8e-4 of it for an embedding of 30,000 x 256.
  squares = [(p.grad.double() ** 2).sum() for p in parameters]
  norm = torch.stack(squares).sum().sqrt()

  def step() -> None:
    optimizer.zero_grad(set_to_none=True)
    loss().backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()

  for _ in range(2):  # torch.compile does its work here.
    step()
  version = f"torch {torch.__version__}, "
  version += f"transformers {transformers.__version__}, "
  version += f"{torch.get_num_threads()} threads"
  return {"loss": first.item(), "norm": norm.item(), "version": version}, step


def _electra(directory: str, given: Any, mode: str) -> Any:
  """The joint loss, all parameters, and the loss with the draw told."""
  import torch
  import transformers

  generator = transformers.ElectraForMaskedLM.from_pretrained(
    f"{directory}/generator"
  ).train()
  discriminator = transformers.ElectraForPreTraining.from_pretrained(
    f"{directory}/discriminator"
  ).train()
  shared = discriminator.electra.embeddings
  generator.electra.embeddings = shared
  generator.generator_lm_head.weight = shared.word_embeddings.weight
  parameters = {
    id(p): p for model in (generator, discriminator) for p in model.parameters()
  }
  masked, labels, original = (
    given[name] for name in ("input_ids", "labels", "original")
  )
  chosen = labels != NO_LABEL
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
