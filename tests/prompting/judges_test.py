"""Scores against everything read at once, without a cache."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lm_jax import layout
from lm_jax.data import rows as rows_lib
from lm_jax.inference import score as score_lib
from lm_jax.inference.score import exact
from lm_jax.layout import Part
from lm_jax.prompting import judges, likelihood, template
from lm_jax.prompting.likelihood import Likelihood
from lm_jax.prompting.own_score import ObjectiveScorer
from lm_jax.prompting.pairs import Pair
from lm_jax.support.errors import UsageError
from lm_jax.types import ANSWER

PAIRS = [
  Pair(prompt, choice)
  for prompt in ("The law of", "In my acts are")
  for choice in (" my law", " a")
]


@pytest.fixture(scope="module")
def model(tiny):
  return tiny.model


def _whole(model, pair):
  """Rows of the text; where the choice begins and ends, a token a byte."""
  text = pair.prompt + pair.choice
  rows, cut = rows_lib.pad_texts(model.tokenizer, [text], model.spec.length)
  assert not cut
  return rows, 1 + len(pair.prompt), 1 + len(text)


def _at_once(model, pair):
  """log p of the choice from one pass over prompt and choice."""
  rows, length, end = _whole(model, pair)
  spec = model.spec
  rows = jax.tree.map(lambda x: x[:, :end], rows)
  tokens, segment = rows.tokens_BxL, rows.segment_BxL
  paired = spec.architecture == "encoder_decoder"
  # What the objective puts in the place of the boundary token.
  if model.objective.name == "ul2":
    tokens = tokens.copy()
    tokens[:, 0] = spec.specials.sequential

  def logs(net):
    if paired or model.objective.name == "ul2":
      problem = layout.pair(
        Part(tokens[:, :length], segment[:, :length]),
        Part(tokens[:, length:], segment[:, length:]),
        spec,
      )
      hidden = net.hidden(problem.inputs, problem.source)
      return -net.nll(hidden, problem.targets_BxP, problem.positions_BxP)
    if model.objective.name == "prefix_lm":
      prefix = jnp.full_like(tokens, length)
      inputs = layout.in_place(rows, spec, prefix_BxL=prefix)
    else:
      inputs = layout.in_place(rows, spec)
    hidden = net.hidden(inputs)[:, length - 1 : -1]
    return -net.nll(hidden, tokens[:, length:])

  run = exact(logs, model.measuring)
  return float(np.asarray(run(model.params), np.float64).sum())


@pytest.mark.parametrize(
  ("objective", "architecture"),
  [
    ("clm", "causal_decoder"),
    ("prefix_lm", "prefix_decoder"),
    ("prefix_lm", "encoder_decoder"),
    ("ul2", "prefix_decoder"),
  ],
)
def test_a_likelihood_is_that_of_one_pass(model, objective, architecture):
  made = model(objective, architecture=architecture)
  judge = judges.make(made, template.load("sst2"), 1)
  assert isinstance(judge, Likelihood)
  pairs = PAIRS
  if architecture == "encoder_decoder":  # The choice is a text of its own.
    pairs = [Pair(p.prompt, p.choice.strip()) for p in PAIRS]
  found = judge.scores(pairs)
  wanted = [_at_once(made, pair) for pair in pairs]
  assert found.sums == pytest.approx(wanted, abs=2e-4)
  assert len({round(x, 3) for x in wanted}) == len(pairs)
  assert found.tokens.tolist() == [len(p.choice.encode()) for p in pairs]
  # In another order, and twice, the same.
  again = judge.scores(pairs[::-1] + pairs).sums
  assert again.tolist() == [*found.sums[::-1], *found.sums]


@pytest.mark.parametrize(
  "objective", ["mlm", "rtd", "permutation_lm", "span_corruption", "hybrid"]
)
def test_own_scores_are_those_of_the_whole_text(model, objective):
  made = model(objective)
  judge = judges.make(made, template.load("sst2"), 1)
  assert isinstance(judge, ObjectiveScorer)
  assert judge.kind == made.objective.scoring != "log_likelihood"
  found = judge.scores(PAIRS)
  scorer = score_lib.Scorer(made)
  for i, pair in enumerate(PAIRS):
    # Each token given all others: what is scored besides changes nothing.
    rows, start, end = _whole(made, pair)
    wanted_L = scorer.token_scores(rows)[0].astype(np.float64)
    wanted = wanted_L[start:end].sum()
    assert found.sums[i] == pytest.approx(wanted, abs=2e-4), pair
  assert found.tokens.tolist() == [len(p.choice) for p in PAIRS]


def test_what_no_row_has_an_answer_at_takes_no_pass(model, monkeypatch):
  made = model("mlm")
  rows, length, end = _whole(made, PAIRS[0])
  passes = []
  plain = made.network.hidden

  def counted(net, *args, **kwargs):
    jax.debug.callback(lambda: passes.append(1))
    return plain.__func__(net, *args, **kwargs)

  monkeypatch.setattr(type(made.network), "hidden", counted)
  part = np.array(rows.part_BxL)
  part[:, :length] = 0
  assert (part == ANSWER).sum() == end - length
  rows = dataclasses.replace(rows, part_BxL=part)

  def score(net, rows):
    return made.objective.score(net, rows, made.spec)

  exact(score, made.measuring)(made.params, rows)
  jax.effects_barrier()
  assert len(passes) == (part == ANSWER).sum() == len(PAIRS[0].choice)


def test_too_long_a_prompt_keeps_its_end(model):
  made = model()
  judge = Likelihood(made)
  room = judge.room
  long, choice = "The laws of my citizens are acts. " * 3, " my law"
  assert judge.size(long, [choice]) > room
  keep = room - judge._spare - (len(choice) - 1) - 1
  short = Pair(long.rstrip(" ")[-keep:], choice)
  found = judge.scores([Pair(long.rstrip(" "), choice), short]).sums
  assert found[0] == found[1]
  with pytest.raises(UsageError, match="a choice of 99 tokens"):
    judge.scores([Pair("a", " " + "b" * 98)])


def test_programs_are_few(model, monkeypatch):
  shapes = set()

  def run(params, inputs, source, choices, parents):
    shapes.add((inputs.tokens_BxT.shape, choices.shape))
    return jnp.zeros(choices.shape), jnp.ones(choices.shape, bool)

  monkeypatch.setattr(likelihood, "_compiled", lambda _: run)
  judge = Likelihood(model(length=256, batch_size=2))
  lengths = np.random.default_rng(0).integers(1, 200, 150)
  choices = (" b", " cd", " efgh")
  judge.scores([Pair("a" * int(n), c) for n in lengths for c in choices])
  assert len(shapes) == judge.programs == 8  # of SLOTS up to 256


def test_what_does_not_fit_is_told(model):
  plain, cloze = template.load("sst2"), template.load("sst2_cloze")
  with pytest.raises(UsageError, match="a model of clm does not fill blanks"):
    judges.make(model(), cloze, 1)
  with pytest.raises(UsageError, match="of mlm reads both ways"):
    judges.make(model("mlm"), template.load("gsm8k"), 1)
  with pytest.raises(UsageError, match="--samples=3: is for templates with"):
    judges.make(model(), plain, 3)
  energy = judges.make(model("rtd"), plain, 1)
  with pytest.raises(UsageError, match="calibrated: is of probabilities"):
    judges.require_correction("calibrated", energy, plain)
  judges.require_correction("byte", energy, plain)
  assert judges.template_for("sst2", model()) == "sst2"
  assert judges.template_for("sst2", model("mlm")) == "sst2_cloze"
  assert judges.template_for("trec", model("mlm")) == "trec"
  assert judges.template_for("sst2", model("rtd")) == "sst2"
