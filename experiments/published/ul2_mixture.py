"""Is a mixture of denoisers better than span corruption, and than a causal LM?

Command: python launch.py reproduce ul2_mixture
Cost: about 6 minutes on two cores.
Expected: ul2 ahead of span_corruption, since one row in seven is language
modelling, and behind clm, all of whose rows are.
"""

from __future__ import annotations

from lm_jax.experiments.published import _full
from lm_jax.experiments.published._scaled import COST, arm, small

from lm_jax.config import Config
from lm_jax.published import Claim, Order, Paper, Scale

BASELINE = "ul2"
SEEDS = 5
DIFFERS = ("architecture", "parameters", *COST)
CLAIM = Claim(
  statement=(
    "A mixture of denoisers is better than T5's span corruption, and than"
    " GPT-like language modelling."
  ),
  paper=Paper(
    title="UL2: Unifying Language Learning Paradigms",
    authors="Tay et al.",
    year=2023,
    source="arXiv:2205.05131",
  ),
  table="abstract and section 4",
  parts=(
    Order("ul2", "span_corruption", "outperforms T5 (abstract)"),
    Order("ul2", "clm", "outperforms GPT-like models (abstract)"),
  ),
  data=_full.C4,
  checked=(
    "the abstract; the relative gains of the tables were not found, and are"
    " left out"
  ),
  full=Scale(
    hardware=_full.A100,
    hours=3 * 60.0,
    measure="mean of the SuperGLUE tasks, fine-tuned",
    smallest_effect=0.5,
    seeds=5,
    settings=_full.T5,
    tasks=("boolq", "cb", "copa", "rte", "wic"),
  ),
  small=small(
    arms=3,
    caution=(
      "the paper averages supervised and one-shot tasks; minimal pairs"
      " favour those that were trained to give likelihoods"
    ),
    differs="decoders only; denoisers drawn with equal probability",
  ),
)


def runs() -> list[Config]:
  """The mixture and its two rivals."""
  return [arm("ul2"), arm("span_corruption"), arm("clm")]
