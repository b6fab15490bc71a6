"""Metrics and currencies, and the form of numbers.

Commands, tables and pages all take the form of a number from here.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Metric:
  """A metric of `result.json`, and the way to show it.

  label: for people.
  unit: "%" for a fraction of 1 that is shown as a percentage, else as it is.
  higher_better: None means that the number is never ranked.
  chance: the value of a model that knows nothing, where it is known.
  interval: "seeds and items" where `result.json` holds a score per item, so
    that both can be resampled; "seeds" where it holds one number a run.
  """

  label: str
  unit: str
  higher_better: bool | None
  chance: float | None = None
  interval: str = "seeds"

  @property
  def scale(self) -> float:
    """The factor that turns a value into `unit`."""
    return 100.0 if self.unit == "%" else 1.0


# Bits per byte of an exact likelihood, and an estimated bound from above on
# those of another; one column has both (lm_jax/report/likelihood.py).
BITS, BOUND = "bits_per_byte", "bits_per_byte_bound"

# In the order of preference for the one metric that arms are tested on.
METRICS: dict[str, Metric] = {
  "minimal_pairs": Metric("minimal pairs", "%", True, 0.5, "seeds and items"),
  "minimal_pairs/swap": Metric("pairs: two words swapped", "%", True, 0.5),
  "minimal_pairs/replace": Metric("pairs: a word replaced", "%", True, 0.5),
  "minimal_pairs/inflection": Metric("pairs: an inflection", "%", True, 0.5),
  "minimal_pairs/classifier": Metric("pairs: a classifier", "%", True, 0.5),
  "minimal_pairs/aspect": Metric("pairs: an aspect marker", "%", True, 0.5),
  "minimal_pairs/order": Metric("pairs: an adverb moved", "%", True, 0.5),
  "blimp": Metric("published pairs", "%", True, 0.5, "seeds and items"),
  "probe/era": Metric("probe: era", "%", True),
  "probe/party": Metric("probe: party", "%", True),
  "probe/label": Metric("probe: label", "%", True),
  BITS: Metric("bits per byte", "bits", False),
  BOUND: Metric("bits per byte, at most", "bits", None),
  "validation_loss": Metric("own validation loss", "nats", False),
}
# Pairs of one of several scripts: "minimal_pairs/Han".
_OF_SCRIPTS = "minimal_pairs/"
# What tuning may look at besides; no run that is compared has it.
_OF_TUNING = {"validation_pairs": Metric("validation pairs", "%", None)}
# Compares between runs of one objective only (lm_jax/report/subject.py).
OWN_LOSS = "validation_loss"

# Parts of names, without what follows an @ (R@100): fractions of 1.
_SHARES = frozenset(
  {
    *("accuracy", "macro_f1", "f1", "precision", "recall", "exact_match"),
    *("exact", "similarity", "pass", "cut", "matthews", "pearson", "spearman"),
    *("ndcg", "rr", "ap", "p", "r", "rprec", "success", "judged"),
    *("rougel", "rouge1", "rouge2", "rougelsum"),
  }
)

# The currencies of the ledger that a ranking is given for; the first is the
# one that the others are compared with.
CURRENCIES: dict[str, str] = {
  "flops": "FLOPs",
  "tokens": "tokens read",
  "positions": "positions computed",
  "targets": "targets predicted",
  "seconds": "seconds",
}
LEDGER = ("steps", *CURRENCIES, "epochs", "branch_flops")


def by(name: str, objective: str) -> str:
  """The name of a metric that an earlier phase's objective measures.

  >>> by("minimal_pairs/swap", "clm")
  'minimal_pairs/swap.clm'
  """
  return f"{name}.{objective}"


def split(name: str) -> tuple[str, str]:
  """The inverse of `by`: a metric and an objective, "" for the run's own."""
  metric, _, objective = name.rpartition(".")
  return (metric, objective) if metric in METRICS else (name, "")


def get(name: str) -> Metric:
  """The entry of METRICS; a name that is not there is shown, never ranked."""
  metric, objective = split(name)
  if objective:
    known = METRICS[metric]
    return dataclasses.replace(known, label=f"{known.label}, by {objective}")
  shown = METRICS | _OF_TUNING
  if name.startswith(_OF_SCRIPTS) and name not in shown:
    script = name.removeprefix(_OF_SCRIPTS)
    return Metric(f"pairs: {script}", "%", True, 0.5)
  return shown.get(name, Metric(name, "", None))


def is_known(name: str) -> bool:
  """Returns whether reports have a table for a metric of a run's own."""
  return name in METRICS or (
    name.startswith(_OF_SCRIPTS) and not split(name)[1]
  )


def amount(value: float | None, currency: str = "") -> str:
  """A count as people read it: 3.31 M, 1.00e13 (FLOPs), 41.2 (seconds)."""
  if value is None:
    return "–"
  if currency in ("flops", "branch_flops"):
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa}e{int(exponent)}"
  if currency == "epochs":
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
  if currency == "seconds":
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"
  for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e4)):
    if value >= size:
      return f"{value / (1e3 if unit == 'k' else size):.3g} {unit}"
  return f"{value:,.0f}"


def share(
  name: str,
  value: float,
  low: float | None = None,
  high: float | None = None,
) -> bool:
  """Returns whether a metric's value is a fraction, shown in percent.

  Decided by METRICS or a part of its name; of a name that neither knows,
  where its interval is one of a share. Correlations are shown times 100, too,
  as GLUE has them.
  """
  if split(name)[0] in METRICS or is_known(name):
    return get(name).unit == "%"
  parts = [part.partition("@")[0] for part in name.casefold().split("/")]
  if _SHARES.intersection(parts):
    return -1 <= value <= 1
  if low is None or high is None:
    return False
  return 0 <= low <= value <= high <= 1


def number(
  value: float | None, percent: bool = False, signed: bool = False
) -> str:
  """A number without its unit: 62.1 of a share; 1.912, 12.35 or 1,234."""
  if value is None:
    return "–"
  sign, size = "+" if signed else "", abs(value)
  if percent:
    text = f"{100 * value:{sign}.1f}"
  elif 10 <= size < 999.95:
    text = f"{value:{sign}.{4 - len(str(int(size)))}f}"
  else:
    text = f"{value:{sign}.3f}" if size < 10 else f"{value:{sign},.0f}"
  return text.replace("-", "−")


def interval(
  value: float,
  low: float | None,
  high: float | None,
  percent: bool = False,
  signed: bool = False,
) -> str:
  """A number with its interval: 62.1 [60.0, 64.2]; only what is known."""
  shown = number(value, percent, signed)
  if low is None or high is None:
    return shown
  ends = (number(end, percent, signed) for end in (low, high))
  return f"{shown} [{', '.join(ends)}]"


def show(name: str, value: float | None) -> str:
  """A metric's value in its unit, without the unit: 62.1, 1.912."""
  return number(value, get(name).unit == "%")


def p_value(p: float | None) -> str:
  """A p value as it is printed: three digits, never 0."""
  if p is None:
    return "–"
  return "< 0.001" if p < 0.001 else f"{p:.3f}"
