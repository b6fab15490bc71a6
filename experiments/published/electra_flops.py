"""What did ELECTRA-small, BERT-small and GPT cost, as ELECTRA counts?

Command: python launch.py reproduce electra_flops
Cost: seconds; nothing is trained.
Expected: the published figures within 1 %: the convention is written out in
lm_jax/training/flops.py, and the shapes are published.
"""

from __future__ import annotations

import dataclasses

from lm_jax.models import sizes
from lm_jax.objectives import rtd
from lm_jax.published import Claim, Computed, Paper, Scale
from lm_jax.training import flops

# Clark et al. 2020, appendix B, and flops_computation.py: 12 layers of width
# 256, embeddings of 128, 30,522 pieces, rows of 128 tokens, batches of 128;
# GPT has 12 layers of width 768, 40,000 pieces, rows of 512 tokens.
ROWS = {"electra": 128 * 1_000_000, "bert": 128 * 1_450_000}
GPT_ROWS = 128 * 960_800
SMALL = dataclasses.replace(
  sizes.PRESETS["electra"], vocabulary=30_522, architecture="encoder"
)
GENERATOR = rtd.shrink(SMALL, 0.25)
GPT = dataclasses.replace(
  sizes.PRESETS["bert"], vocabulary=40_000, architecture="causal_decoder"
)


def electra() -> float:
  """Counts ELECTRA-Small's training FLOPs: discriminator and generator."""
  row = flops.electra_convention(SMALL, 128, discriminator=True)
  row += flops.electra_convention(GENERATOR, 128)
  return ROWS["electra"] * row


def bert() -> float:
  """Counts BERT-Small's training FLOPs."""
  return ROWS["bert"] * flops.electra_convention(SMALL, 128)


def gpt() -> float:
  """Counts GPT's training FLOPs; every position has a softmax."""
  return GPT_ROWS * flops.electra_convention(GPT, 512, predicted=1.0)


CLAIM = Claim(
  statement=(
    "ELECTRA-Small costs 1.29e18, BERT-Small 1.42e18 and GPT 3.97e19 FLOPs by"
    " ELECTRA's convention."
  ),
  paper=Paper(
    title=(
      "ELECTRA: Pre-training Text Encoders as Discriminators Rather Than"
      " Generators"
    ),
    authors="Clark, Luong, Le, Manning",
    year=2020,
    source="arXiv:2003.10555",
  ),
  table="table 1 (1.4e18, 1.4e18 and 4.0e19 there); flops_computation.py",
  parts=(
    Computed("ELECTRA-Small, FLOPs", 1.29e18, 0.01, electra),
    Computed("BERT-Small, FLOPs", 1.42e18, 0.01, bert),
    Computed("GPT, FLOPs", 3.97e19, 0.01, gpt),
  ),
  data="none: published shapes",
  checked="google-research/electra, flops_computation.py, which was run",
  full=Scale(hardware="any", hours=0.001),
  unsupported=(
    "ELMo, XLNet and T5 of that script: their figures are not of its formula,"
    " or of shapes that lm_jax has no preset for"
  ),
)
