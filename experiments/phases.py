"""Should an encoder begin with causal language modelling?

Command: python launch.py compare --experiment=phases
Cost: about 10 minutes on two cores.
Expected: Gisserot-Boukhlef et al. 2025 ("Should we still pretrain encoders with
masked language modeling?", 2507.00994) find that clm first and then mlm is
better than mlm alone under one budget, best with 25 to 50 % of clm; Weller et
al. 2025 (Ettin, 2507.11412) find that an encoder that was a decoder until late
stays behind one that was trained as an encoder. At this size all arms but the
one without any mlm should be hard to tell apart, and that one, which never
learned to look ahead, should not be measured by the same score at all.

Every arm spends the same model FLOPs on one stack, a share of them on clm and
the rest on mlm, under one learning-rate schedule. clm computes logits at every
position, and so reads fewer tokens: arms differ in tokens and targets. The arm
of clm alone is a causal decoder, scored by its exact likelihood, the others by
mlm's pseudo-log-likelihood; the report shows both scores of a model that had
both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from lm_jax.config import Config

from .compare_objectives import COMMON

BASELINE = "clm0"
SEEDS = 5
# What follows from the phases: see the docstring.
DIFFERS = (
  *("phases", "objective", "architecture"),
  # The last step of a phase may end a little before the budget.
  *("targets", "tokens", "positions", "epochs", "rate"),
)
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


def runs(shares: Sequence[float] = SHARES) -> list[Config]:
  """One arm for each share of the budget that clm has, before mlm."""
  return [_arm(share) for share in shares]


def _arm(share: float) -> Config:
  name = f"clm{100 * share:.0f}"
  # All arms end at one spend of FLOPs; a shorter run would have other phases.
  common = dataclasses.replace(COMMON, branches="")
  if share in (0, 1):
    objective = "clm" if share else "mlm"
    return dataclasses.replace(common, objective=objective, arm=name)
  phases = f"clm:{share:g},mlm:{1 - share:g}"
  return dataclasses.replace(common, objective="mlm", phases=phases, arm=name)
