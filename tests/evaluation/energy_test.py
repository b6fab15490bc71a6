"""An energy is read from the objective's own head, whatever it is called."""

import sys

import pytest
from tiny import pretrain

import lm_jax
from lm_jax import objectives
from lm_jax.evaluation import evaluate
from lm_jax.evaluation.flags import EvaluateFlags
from lm_jax.objectives import rtd

SOURCE = '''
"""Detection of tokens of another row."""
import dataclasses
import jax
import jax.numpy as jnp
from lm_jax import layout
from lm_jax.objectives import base
from lm_jax.types import Head, Problem, Term

@dataclasses.dataclass(frozen=True)
class Foreign(base.Objective):
  architectures = frozenset({"encoder"})
  natural = "encoder"
  scoring = "energy"

  def heads(self, spec):
    return {"strange": Head(1)}

  def make(self, rng, rows, spec):
    other = jnp.roll(rows.tokens_BxL, 1, axis=0)
    swap = jax.random.bernoulli(rng, 0.3, other.shape)
    tokens = jnp.where(swap, other, rows.tokens_BxL)
    changed = dataclasses.replace(rows, tokens_BxL=tokens)
    stream = layout.in_place(changed, spec)
    weights = {"strange": (rows.segment_BxL > 0).astype(jnp.float32)}
    extra = {"swap": swap.astype(jnp.float32)}
    return Problem(stream, None, rows.tokens_BxL, weights, extra=extra)

  def loss(self, apply, problem, rng):
    logit = apply.head("strange", apply.hidden(problem.inputs))[:, :, 0]
    losses = jax.nn.softplus(logit) - problem.extra["swap"] * logit
    return {"strange": Term(losses)}

  def score(self, apply, rows, spec):
    hidden = apply.hidden(layout.in_place(rows, spec))
    logit = apply.head("strange", hidden)[:, :, 0]
    return jnp.where(base.eligible(rows, spec), -jax.nn.softplus(logit), 0.0)
'''


@pytest.fixture
def foreign(tmp_path):
  (tmp_path / "foreign.py").write_text(SOURCE)
  objectives.__path__.append(str(tmp_path))
  yield "foreign"
  objectives.__path__.remove(str(tmp_path))
  sys.modules.pop("lm_jax.objectives.foreign", None)


def test_evaluate_measures_what_train_measured(foreign, tiny, tmp_path):
  config = tiny.config(
    tmp_path / "run", objective=foreign, budget="steps:2", eval_every=2
  )
  result = pretrain(config)
  assert result["metrics"]["minimal_pairs"] > 0
  flags = EvaluateFlags(config.workdir, ("minimal_pairs",))
  found = evaluate.evaluate(flags)
  assert found["minimal_pairs"] == result["metrics"]["minimal_pairs"]
  lm = lm_jax.load(config.workdir)
  assert lm.scoring == "energy" and lm.outputs == ("strange",)
  assert lm.score(["The law is so."])[0] < 0
  assert lm.logits([[1, 2, 3]]).shape == (1, 3)


def test_rtd_names_its_own():
  assert rtd.ReplacedTokenDetection().scores_by(None) == "replaced"
