"""Options that are impossible are refused, by their flags."""

import pytest

from lm_jax.objectives.classify import Classify
from lm_jax.objectives.denoising import Denoising
from lm_jax.objectives.embed import Embed
from lm_jax.objectives.extract import Extract
from lm_jax.objectives.hybrid import Hybrid
from lm_jax.objectives.label_tokens import LabelTokens
from lm_jax.objectives.mlm import MaskedLM
from lm_jax.objectives.mlm_nsp import MaskedLMNextSentence
from lm_jax.objectives.mlm_sop import MaskedLMSentenceOrder
from lm_jax.objectives.multiple_choice import MultipleChoice
from lm_jax.objectives.permutation_lm import PermutationLM
from lm_jax.objectives.respond import Respond
from lm_jax.objectives.span_corruption import SpanCorruption
from lm_jax.objectives.ul2 import MixtureOfDenoisers
from lm_jax.support.errors import UsageError

AB = ("a", "b")
HALVES = {"short": 0.1, "pairs": "halves"}
# Options that are refused for rows of 40 tokens, in batches of 8.
OPTIONS = [
  (Classify, {}, "labels=: must name two or more"),
  (Classify, {"labels": AB, "dropout": 1.0}, "dropout=1.0"),
  (Denoising, {"rate": 0.0}, "rate=0.0"),
  (Denoising, {"mean_span": 0.5}, "mean_span=0.5"),
  (Denoising, {"random": 1.5}, "random=1.5"),
  (Embed, {"temperature": 0}, "temperature=0: must be above 0"),
  (Extract, {"longest": 0}, "longest=0: must be at least 1"),
  (Hybrid, {"causal": 0.3}, "causal=0.3: must give whole rows"),
  (Hybrid, {"causal": 1.0}, "causal=1.0"),
  (Hybrid, {"rate": 0.0}, "rate=0.0"),
  (Hybrid, {"final_rate": -0.1}, "final_rate=-0.1"),
  (Hybrid, {"longest_span": 0}, "longest_span=0"),
  (Hybrid, {"z_loss": -1.0}, "z_loss=-1.0"),
  (LabelTokens, {"labels": ("O",)}, "labels=O: must name two"),
  (LabelTokens, {"labels": AB, "dropout": 1.0}, "dropout=1.0: must be"),
  (MaskedLM, {"rate": 0.0}, "rate=0.0"),
  (MaskedLM, {"masked": 0.9, "replaced": 0.2}, "masked=0.9"),
  (MaskedLMNextSentence, {"short": 1.5}, "short=1.5: must be 0 to 1"),
  (MaskedLMSentenceOrder, {"short": 1.5}, "short=1.5: must be 0 to 1"),
  (MaskedLMNextSentence, HALVES, "short=0.1: needs --objective.pairs=senten"),
  (MaskedLMSentenceOrder, HALVES, "short=0.1: needs --objective.pairs=senten"),
  (MixtureOfDenoisers, {"sequential": 1.5}, "sequential=1.5"),
  (MultipleChoice, {"choices": 1}, "choices=1: must be at least 2"),
  (MultipleChoice, {"choices": 2, "dropout": 1.0}, "dropout=1"),
  (PermutationLM, {"K": 21}, "K=21: must be 1 to 20"),
  (PermutationLM, {"perm_size": 99}, "perm_size=99: must be 0 to 40"),
  (PermutationLM, {"perm_size": 8, "context": "ordered"}, "perm_size=8: needs"),
  (Respond, {"answer_length": 0}, "answer_length=0: must be 1 to 39"),
  (Respond, {"answer_length": 40}, "answer_length=40"),
  (Respond, {"beams": 0}, "beams=0: must be at least 1"),
  (SpanCorruption, {"rate": 1.0}, "rate=1.0"),
  (SpanCorruption, {"mean_span": 0.5}, "mean_span=0.5"),
]


@pytest.mark.parametrize(("cls", "options", "message"), OPTIONS)
def test_impossible_options_are_refused(tiny, cls, options, message):
  with pytest.raises(UsageError, match=f"--objective.{message}"):
    cls(**options).check(tiny.spec(cls.natural), 8, 1)


@pytest.mark.parametrize(
  ("objective", "length", "message"),
  [
    (SpanCorruption(mean_span=1.0), 1024, "=1024: needs 154 sentinels"),
    (MixtureOfDenoisers(sequential=0.1), 1024, "=1024: needs .* sentinels"),
    (MultipleChoice(choices=4), 15, "=15: must be at least 16, for 4 candidat"),
  ],
)
def test_lengths_that_do_not_fit_are_refused(tiny, objective, length, message):
  with pytest.raises(UsageError, match=f"--length{message}"):
    objective.check(tiny.spec(objective.natural, length), 8, 1)


@pytest.mark.parametrize(
  ("objective", "batch", "message"),
  [
    (Embed(), (4, 2), "--accumulate=2: embed compares all"),
    (Hybrid(), (8, 8), "--objective.causal=0.5: must give whole rows"),
    # It would be its own next sentence, labelled as another's.
    (MaskedLMNextSentence(), (1, 1), "--batch_size=1: mlm_nsp takes"),
  ],
)
def test_batches_that_do_not_fit_are_refused(tiny, objective, batch, message):
  with pytest.raises(UsageError, match=message):
    objective.check(tiny.spec(objective.natural), *batch)


def test_the_order_of_sentences_can_be_learnt_of_one_row(tiny):
  MaskedLMSentenceOrder().check(tiny.spec("encoder"), 1, 1)


def test_a_first_state_that_has_seen_nothing_is_refused(tiny):
  with pytest.raises(UsageError, match="--objective.pool=first: the first"):
    Embed(pool="first").check(tiny.spec("causal_decoder"), 4, 1)
