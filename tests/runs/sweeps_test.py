import itertools
import math

import pytest

from lm_jax.runs import sweeps
from lm_jax.support.errors import UsageError

LEARNING_RATE = "optimizer.learning_rate"


def _values(text, arms=()):
  (sweep,) = sweeps.parse([text], arms)
  return {sweep.key: sweep.texts}


def test_values_are_split_and_quotes_honoured():
  assert _values("a.b=1e-3,3e-3") == {"a.b": ["1e-3", "3e-3"]}
  assert _values('x="256,0",0') == {"x": ["256,0", "0"]}
  for text in ("budget=steps:3,steps:4", 'curriculum="0.7:128,0.9:256"'):
    (sweep,) = sweeps.parse([text])
    assert len(sweep.values) == text.count(",") + (text[-1] != '"')


@pytest.mark.parametrize(
  ("text", "values"),
  [
    (
      f"{LEARNING_RATE}=1e-4:1e-2:log:5",
      ["0.0001", "0.000316", "0.001", "0.00316", "0.01"],
    ),
    (f"{LEARNING_RATE}=1e-6:1e-5:log:2", ["1e-6", "1e-5"]),
    ("objective.rate=0.1:0.5:linear:4", ["0.1", "0.233", "0.367", "0.5"]),
    # Three digits would not tell them apart.
    ("objective.rate=0.9:0.901:linear:3", ["0.9", "0.9005", "0.901"]),
    ("batch_size=16:128:log:4", ["16", "32", "64", "128"]),
    ("batch_size=1e2:1e4:log:3", ["100", "1000", "10000"]),
    ("trunk.layers=1:4:linear:4", ["1", "2", "3", "4"]),
    ("budget=flops:1e11:1e12:log:3", ["flops:1e11", "flops:3.16e11",
     "flops:1e12"]),
    ("budget=steps:10:100:log:3", ["steps:10", "steps:32", "steps:100"]),
    ("budget=seconds:0.5:1:linear:3", ["seconds:0.5", "seconds:0.75",
     "seconds:1"]),
    (f"{LEARNING_RATE}=1e-4:1e-3:log:2,0.5", ["0.0001", "0.001", "0.5"]),
    ("trunk.dropout=0:0.2:linear:3", ["0", "0.1", "0.2"]),
  ],
)  # fmt: skip
def test_ranges(text, values):
  assert _values(text) == {text.partition("=")[0]: values}


def test_a_range_is_evenly_spaced():
  """Rounding moves no value by more than a hundredth of a gap."""
  texts = _values(f"{LEARNING_RATE}=2e-4:7e-3:log:9")[LEARNING_RATE]
  logs = [math.log(float(text)) for text in texts]
  gaps = [b - a for a, b in itertools.pairwise(logs)]
  even = math.log(7e-3 / 2e-4) / 8
  assert all(abs(gap - even) < 0.02 * even for gap in gaps)
  assert all(len(text) < 9 for text in texts)


@pytest.mark.parametrize(
  ("text", "message"),
  [
    (f"{LEARNING_RATE}=1e-2:1e-4:log:5", "is empty; the first number"),
    (f"{LEARNING_RATE}=1e-2:1e-2:log:5", "is empty"),
    (f"{LEARNING_RATE}=0:1e-2:log:5", "must begin above 0"),
    (f"{LEARNING_RATE}=-1:1e-2:log:5", "must begin above 0"),
    (f"{LEARNING_RATE}=1e-4:1e-2:log:1", "must have from 2 to 1000 values"),
    (f"{LEARNING_RATE}=1e-4:1e-2:log:-3", "a range is LOW:HIGH:log:COUNT"),
    (f"{LEARNING_RATE}=1e-4:1e-2", "a range is LOW:HIGH:log:COUNT"),
    (f"{LEARNING_RATE}=1e-4:1e-2:5", "a range is"),
    (f"{LEARNING_RATE}=1e-4:1e-2:lin:5", "a range is"),
    (f"{LEARNING_RATE}=log:1e-4:1e-2:5", "a range is"),
    (f"{LEARNING_RATE}=a:1e-2:log:5", "a range is"),
    (f"{LEARNING_RATE}=nan:1e-2:log:5", "a range is"),
    ("budget=flops:1e13:1e12:log:3", "is empty"),
    ("budget=flops:1e12:log:3", "a range is"),
    ("batch_size=1:2:linear:5", "no 5 whole numbers that differ, only 1, 2"),
    ("batch_size=1.5:4:linear:2", "begin and end with a whole number"),
    # What follows the option is quoted once.
    (f"{LEARNING_RATE}=2:1:log:5", "=2:1:log:5: is empty"),
    (f"{LEARNING_RATE}=3,2:1:log:5", "=3,2:1:log:5: 2:1:log:5: is empty"),
    ("a+b=1+2+3", "a.b=1.2.3: must have 2 values"),
    ("a", "must be an option and its values"),
    *((x, "must be an option") for x in ("a=", "=1", "a=1,,2", "", "a+=1+2")),
    ("a=1,1", "the same thing twice"),
    (f"{LEARNING_RATE}=1e-3:2e-3:log:2,0.001", "the same thing twice"),
    ("a+a=1+1", "the same thing twice"),
    ("a+b=1+2,1", "1: must have 2 values, one for each of a, b"),
    ("a+b=1+2+3", r"1\+2\+3: must have 2 values"),
    ("a+b=1+", "must have 2 values"),
    ("a+b=1+1:2:log:3", "a range can't be linked"),
    ("nlm/a=1", "arm=nlm: unknown; did you mean mlm"),
    ("/a=1", "unknown"),
  ],
)  # fmt: skip
def test_what_is_wrong_is_a_line(text, message):
  with pytest.raises(UsageError, match=f"^--sweep={'.*' + message}") as raised:
    sweeps.parse([text], ["mlm", "clm"])
  assert "\n" not in str(raised.value)


def test_linked_values():
  (sweep,) = sweeps.parse([f"size+{LEARNING_RATE}=nano+4e-3,tiny+1e+0"])
  assert sweep.paths == ("size", LEARNING_RATE)
  assert sweep.values == (("nano", "4e-3"), ("tiny", "1e+0"))
  assert sweep.texts == ["nano+4e-3", "tiny+1e+0"]
  # "base" ends with an e.
  (sweep,) = sweeps.parse([f"size+{LEARNING_RATE}=base+1,nano+2"])
  assert sweep.values == (("base", "1"), ("nano", "2"))


def test_an_arm_is_named_before_a_slash():
  (sweep,) = sweeps.parse(["mlm/objective.rate=0.15,0.4"], ["mlm", "clm"])
  assert (sweep.arm, sweep.key) == ("mlm", "mlm/objective.rate")
  assert sweep.values == (("0.15",), ("0.4",))
  # Names of arms have what signs they like.
  arms = ["clm:0.5,mlm:0.5", "rate=0.15", "a/b", "a"]
  for arm in arms:
    (sweep,) = sweeps.parse([f"{arm}/x=1,2"], arms)
    assert (sweep.arm, sweep.paths) == (arm, ("x",))
  (corpus,) = sweeps.parse(["data.corpus=a/b=c,d"], ["mlm"])
  assert (corpus.arm, corpus.texts) == ("", ["a/b=c", "d"])


def test_sweeps_of_one_option_twice():
  for texts in (["a=1", "a=2"], ["x/a=1", "x/a=2"], ["a=1", "a+b=1+2"]):
    with pytest.raises(UsageError, match="the same thing twice"):
      sweeps.parse(texts, ["x"])
  with pytest.raises(UsageError, match="moves a, and so does --sweep=a:*"):
    sweeps.parse(["a=1,2", "x/a+b=1+2"], ["x"])
  parsed = sweeps.parse(["a=1,2", "c=1", "x/a=3", "x/d=4"], ["x", "y"])
  own = {s.key: s.texts for s in sweeps.of_arm(parsed, "x")}
  assert own == {"x/a": ["3"], "c": ["1"], "x/d": ["4"]}
  other = {s.key: s.texts for s in sweeps.of_arm(parsed, "y")}
  assert other == {"a": ["1", "2"], "c": ["1"]}


def test_a_protocol_takes_single_options():
  assert sweeps.by_path(sweeps.parse(["a=1,2", "b=1"])) == {
    "a": ["1", "2"],
    "b": ["1"],
  }
  for text in ("a+b=1+2", "x/a=1"):
    with pytest.raises(UsageError, match="must be one option"):
      sweeps.by_path(sweeps.parse([text]))
