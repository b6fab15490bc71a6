"""Were ELECTRA-small and BERT-small trained for equal FLOPs by our ledger?

Command: python launch.py reproduce electra_flops_ledger
Cost: seconds; nothing is trained.
Expected: ELECTRA's convention counts an embedding as the product with a one-hot
vector, forward and backward, which is a third of a small model's cost and is
paid twice by ELECTRA (generator and discriminator look up each token), and a
backward pass as dear as a forward one. The ledger counts dot products that are
computed, backward twice. So ELECTRA-Small should come out much cheaper than
BERT-Small.
"""

from __future__ import annotations

import dataclasses

from lm_jax.models import sizes
from lm_jax.objectives import rtd
from lm_jax.published import Claim, Computed, Paper, Scale
from lm_jax.training import flops
from lm_jax.types import Head

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


def row(trunk, length: int, predicted: int, discriminator: bool) -> int:
  """Counts a training step's model FLOPs for one row, as the ledger does."""
  forward = flops.forward_hidden(trunk, 1, length)
  if discriminator:
    head = Head(1, transform="trunk")
    forward += flops.forward_head(head, trunk, 1, length)
  else:
    forward += flops.forward_vocabulary(trunk, predicted)
  return 3 * forward


def bert() -> float:
  """Counts BERT-Small's model FLOPs; 20 of 128 positions are predicted."""
  return ROWS["bert"] * row(SMALL, 128, 20, False)


def electra_to_bert() -> float:
  """Divides ELECTRA-Small's model FLOPs by BERT-Small's."""
  electra = row(SMALL, 128, 0, True) + row(GENERATOR, 128, 20, False)
  return ROWS["electra"] * electra / bert()


def gpt_to_bert() -> float:
  """Divides GPT's model FLOPs by BERT-Small's."""
  return GPT_ROWS * row(GPT, 512, 512, False) / bert()


CLAIM = Claim(
  statement=(
    "ELECTRA-Small costs 0.908 times as much as BERT-Small, and GPT 28.0 times"
    " as much; counted here by dot products."
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
  table="table 1; ratios of the figures of flops_computation.py",
  parts=(
    Computed("ELECTRA-Small / BERT-Small", 0.908, 0.1, electra_to_bert),
    Computed("GPT / BERT-Small", 28.0, 0.1, gpt_to_bert),
  ),
  data="none: published shapes",
  checked="google-research/electra, flops_computation.py, which was run",
  full=Scale(
    hardware="any",
    hours=0.001,
    differs=(
      "dot products that are computed, backward twice forward, instead of"
      " ELECTRA's convention: embeddings as products with one-hot vectors (paid"
      " twice by ELECTRA), element-wise operations, backward once forward"
    ),
  ),
)
