import pytest

from lm_jax.config import Config
from lm_jax.runs import search_space
from lm_jax.support.errors import UsageError


def test_values_span_the_range():
  rate, share = search_space.parse(
    ["optimizer.learning_rate:log:1e-4:1e-2,objective.rate:linear:0.1:0.5"]
  )
  assert [rate.text(x) for x in (0, 0.5, 1)] == ["0.0001", "0.001", "0.01"]
  assert [share.text(x) for x in (0, 0.5, 1)] == ["0.1", "0.3", "0.5"]
  assert str(rate) == "optimizer.learning_rate:log:0.0001:0.01"


def test_whole_numbers_stay_whole():
  (size,) = search_space.parse(["batch_size:log:4:64"])
  assert [size.text(x) for x in (0, 0.5, 1)] == ["4", "16", "64"]


def test_an_arm_has_the_options_of_its_objective():
  rate, own = search_space.parse(
    ["optimizer.learning_rate:log:1e-4:1e-2", "objective.rate:linear:0.1:0.5"]
  )
  mlm, clm = Config(objective="mlm"), Config(objective="clm")
  assert (rate.is_of(clm), own.is_of(clm), own.is_of(mlm)) == (1, 0, 1)


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("optimizer.learning_rate", "must be OPTION:log:LOW:HIGH"),
    ("optimizer.learning_rate:exp:1e-4:1e-2", "must be OPTION:log:LOW:HIGH"),
    ("optimizer.learning_rat:log:1:2", "optimizer.learning_rate"),
    ("optimizer.learning_rate:log:1e-2:1e-4", "is empty"),
    ("optimizer.learning_rate:log:1e-4:1e-4", "is empty"),
    ("optimizer.learning_rate:log:0:1e-2", "above 0"),
    ("optimizer.learning_rate:log:a:1e-2", "must be a number"),
    ("optimizer.learning_rate:log:1e-4:inf", "must be a number"),
    ("optimizer.name:log:1:2", "it is no number"),
    ("seed:linear:0:5", "can't be tuned"),
    ("seed.order:linear:0:5", "can't be tuned"),
    ("budget:log:1e9:1e10", "can't be tuned"),
    ("batch_size:log:4:6.5", "whole number"),
    ("optimizer.warmup:linear:0:3", "^--tune=optimizer.warmup:.*"),
    # No suggestion is one that can't be tuned.
    ("foo.arm:log:1:2", "^--tune=foo.arm: unknown; did you mean"),
    ("optimizer.lr:log:1:2", "optimizer has: optimizer.learning_rate, "),
    (
      "objective.rate:linear:0.1:0.2,objective.rate:linear:0.1:0.2",
      "there twice",
    ),
  ],
)
def test_what_cannot_be_tuned_is_refused(text, message):
  with pytest.raises(UsageError, match=message):
    search_space.parse([text])
