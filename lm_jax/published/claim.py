"""Defines a published claim: what was found, by whom, and how to find it again.

A claim is a file of experiments/published/ with one `CLAIM`. A file whose claim
is about models that are trained is an experiment, too (BASELINE, SEEDS,
runs()), so that `compare --experiment=PATH` runs its arms.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping


@dataclasses.dataclass(frozen=True)
class Paper:
  """A publication; `source` is where it is found: "arXiv:2003.10555"."""

  title: str
  authors: str
  year: int
  source: str


@dataclasses.dataclass(frozen=True)
class Order:
  """One arm is better than another one.

  published: both values, as published: "79.9 against 75.1 (GLUE)".
  measure: by which they are compared here; that of the scale unless given.
  """

  better: str
  worse: str
  published: str
  measure: str = ""

  @property
  def label(self) -> str:
    """Says what is claimed in a few words."""
    by = f" by {self.measure}" if self.measure else ""
    return f"{self.better} above {self.worse}{by}"


@dataclasses.dataclass(frozen=True)
class Number:
  """An arm's measure has a value, within a tolerance in its own unit."""

  arm: str
  value: float
  tolerance: float
  measure: str = ""

  @property
  def label(self) -> str:
    """Says what is claimed in a few words."""
    return f"{self.arm} ± {self.tolerance:g}"

  @property
  def published(self) -> str:
    """The value as published."""
    return f"{self.value:g}"


@dataclasses.dataclass(frozen=True)
class Computed:
  """A number that follows from published settings; nothing is trained.

  tolerance: as a share of the value.
  compute: returns the number.
  """

  name: str
  value: float
  tolerance: float
  compute: Callable[[], float]

  @property
  def label(self) -> str:
    """Says what is claimed in a few words."""
    return f"{self.name} ± {100 * self.tolerance:g} %"

  @property
  def published(self) -> str:
    """The value as published."""
    return f"{self.value:.3g}"


@dataclasses.dataclass(frozen=True)
class Scored:
  """A published model has a score; its directory is read from --data.

  model: the name of its directory.
  task, file: the task, and the file of its examples in --data.
  metric: of `evaluate`, a share of 1.
  value, tolerance: in percent.
  """

  model: str
  task: str
  file: str
  metric: str
  value: float
  tolerance: float

  @property
  def label(self) -> str:
    """Says what is claimed in a few words."""
    return f"{self.model} on {self.task}, % ± {self.tolerance:g}"

  @property
  def published(self) -> str:
    """The value as published."""
    return f"{self.value:g}"


Part = Order | Number | Computed | Scored


@dataclasses.dataclass(frozen=True)
class Scale:
  """One size at which a claim is looked at.

  hardware, hours: what a run of every arm takes, one seed each.
  measure: a metric of result.json; with `tasks` the mean of theirs.
  smallest_effect: of orders: a difference that matters, in the measure's unit
    (points where it is a share). Two arms are equivalent where the difference
    is shown to be smaller.
  settings: for all arms, as flags of `compare`; beside them the file's own.
  corpus: a file of --data that is read; "" for the one of the settings.
  tasks: the models are fine-tuned for these; a protocol of `finetune`.
  device: "gpu" where nothing else will do.
  differs: which settings differ from the published ones.
  caution: why the claim may hold there and not here, or the reverse.
  impossible: why it can't be run or measured at all, where that is so.
  """

  hardware: str
  hours: float
  measure: str = ""
  smallest_effect: float = 0.0
  seeds: int = 1
  settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
  corpus: str = ""
  tasks: tuple[str, ...] = ()
  device: str = ""
  differs: str = ""
  caution: str = ""
  impossible: str = ""


@dataclasses.dataclass(frozen=True)
class Claim:
  """A published claim; all of `parts` make it up.

  statement: a sentence that says it.
  table: where it stands in the paper.
  data: what the published result was made with, and its TFDS name if it has
    one.
  checked: where the numbers were looked up, since papers are not kept here.
  full: as published.
  small: scaled down, for two cores; None where the full scale is run, or no
    small one would say anything.
  unsupported: what of the table can't be expressed here, or is not measured.
  """

  statement: str
  paper: Paper
  table: str
  parts: tuple[Part, ...]
  data: str
  checked: str
  full: Scale
  small: Scale | None = None
  unsupported: str = ""

  def scale(self, name: str) -> Scale:
    """Returns the scale to run: "small" is the full one where there is none."""
    if name == "small" and self.small is not None:
      return self.small
    return self.full

  def is_small(self, name: str) -> bool:
    """Returns whether the scale of a name is scaled down."""
    return name == "small" and self.small is not None
