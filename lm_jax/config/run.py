"""The configuration of a run.

A `Config` says what was asked for: a field left alone stays "the default",
so that another size or objective may still be put under it. `resolve` writes
every default out; that is what config.json holds and what is compared.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, Literal

from lm_jax.config.optimizer import OptimizerOptions
from lm_jax.data.options import DataOptions
from lm_jax.support.errors import UsageError, short
from lm_jax.support.options import option

VOCABULARY = "vocabulary"  # no Head, in `Config.heads`
METHOD = "method"  # names the adaptation, in `Config.adapt`


@dataclasses.dataclass(frozen=True)
class Config:
  """One run; its fields are flags.

  objective_options: the objective's own fields, by name.
  seeds: by kind, those that are not `seed` (lm_jax/config/seeds.py).
  family: of an imported model: `list families`.
  heads: of an imported model, which replace the objective's own: fields of
    Head by name, and {} for the vocabulary.
  trunk: fields of Trunk that differ from the size's, by name, and "preset".
  adapt: how the model is adapted: "method" (`list adaptations`) and that one's
    own fields, by name; {} trains all parameters.
  name, arm: where the run stands in an experiment.
  """

  objective: str = option("clm", "what is trained: `list objectives`")
  architecture: Literal[
    "", "encoder", "causal_decoder", "prefix_decoder", "encoder_decoder"
  ] = option("", "unless given, the preset's or the objective's natural one")
  phases: str = option(
    "",
    "objectives that train one model in turn, and their shares of the budget:"
    " clm:0.5,mlm:0.5; options of one stand in brackets, mlm(rate=0.3):0.5, and"
    " are checked as those of --objective; the run's own objective is the last",
    absent="",
  )
  phase_schedule: Literal["whole", "each"] = option(
    "whole",
    "of the learning rate: one for the whole budget, or for each phase a"
    " warm-up and a course over its own share",
    absent="whole",
  )
  phase_cycle: str = option(
    "",
    "phases take turns within each so many steps, steps:100, in proportion to"
    " their numbers, which need not add up to 1: clm:3,mlm:1",
    absent="",
  )
  size: str = option("tiny", "the trunk's shape: `list sizes`")
  length: int = option(128, "tokens a row", least=16)
  curriculum: str = option(
    "",
    "shorter rows first: 0.7:128,0.9:256 are shares of the budget and lengths",
  )
  branches: str = option(
    "",
    "smaller spends at which a branch of the run is decayed and measured, kept"
    " in branches/: tokens:4e5,flops:1e12; needs --optimizer.schedule=wsd, and"
    " takes its --optimizer.decay. compare also knows auto: where arms end in"
    " each currency",
    absent="",
  )
  batch_size: int = option(32, "rows a step", least=1)
  accumulate: int = option(1, "parts that a batch is computed in", least=1)
  seed: int = option(
    0,
    "of the parameters, the order and the corruption; --seed.parameters,"
    " --seed.order and --seed.corruption set one each",
    least=0,
  )
  budget: str = option(
    "flops:3e12",
    "flops:, positions: or steps: and a number, which is not exceeded; or"
    " tokens:, targets: or seconds:, which end with the step that reaches it",
  )
  stop_at: float = option(
    1.0,
    "share of the budget at which the run stops and saves, paused; without it"
    " the same command goes on, to the same bits",
    above=0,
    most=1,
    absent=1.0,
  )
  task: str = option("", "what it is fine-tuned for: `list tasks`")
  task_data: str = option(
    "", "local files of the task's examples; by default TFDS has them"
  )
  train_examples: int = option(
    0, "number of examples for training, drawn at random; 0: all", least=0
  )
  patience: int = option(
    0,
    "evaluations in a row without a better one that end the run; 0: none do",
    least=0,
    group="evaluation",
  )
  model: str = option(
    "",
    "run or Hugging Face directory whose model is trained further; what is not"
    " given is as that has it",
  )
  positions: Literal["own", "interpolate"] = option(
    "own",
    "what rows do that are longer than --model has learned positions: its own"
    " refuse them; or they are interpolated, evenly between the first and last",
    absent="own",
  )
  checkpoint_every: int = option(
    200,
    "steps between checkpoints; 0: at the end and when interrupted",
    least=0,
    group="checkpoints",
  )
  keep_last: int = option(
    2, "how many of the last checkpoints are kept", least=1, group="checkpoints"
  )
  keep_every: int = option(
    0,
    "steps between checkpoints that are kept for good; 0: none are",
    least=0,
    group="checkpoints",
  )
  eval_every: int = option(
    0,
    "steps between evaluations; 0: at five points of the budget",
    least=0,
    group="evaluation",
  )
  eval: Literal["all", "final", "validation", "loss", "none"] = option(
    "all",
    "what is measured: all, on the way and at the end; final, at the end only;"
    " loss, the validation loss only; validation, at the end also minimal pairs"
    " of validation text; none. It changes no parameter",
    group="evaluation",
  )
  benchmark: Literal["", "blimp"] = option(
    "",
    "pairs that are measured at the end, too, as `evaluate --tasks=blimp` does",
    group="evaluation",
    absent="",
  )
  benchmark_data: str = option(
    "",
    "local files of its pairs: BLiMP, ZhoBLiMP, SLING, JBLiMP, RuBLiMP,"
    " TurBLiMP or MultiBLiMP as published; by default TFDS has BLiMP",
    group="evaluation",
    absent="",
  )
  benchmark_limit: int = option(
    0,
    "number of its pairs, as many of each paradigm; 0: all",
    least=0,
    group="evaluation",
    absent=0,
  )
  link: Literal["sum", "mean", "slln"] = option(
    "sum",
    "of the benchmark: how the scores of a sentence's tokens make its own:"
    " their sum, mean, or sum by the root of their number (SLLN-LP)",
    group="evaluation",
    absent="sum",
  )
  log_every: int = option(
    10,
    "steps between lines of metrics.jsonl, and of what is shown",
    least=1,
    group="evaluation",
  )
  trackers: tuple[str, ...] = option(
    ("tensorboard",),
    "who else gets what is logged: `list trackers`; none where it is empty",
    group="evaluation",
  )
  skip_limit: int = option(
    10,
    "steps in a row whose loss or gradient is not finite, which are skipped,"
    " that end the run as diverged",
    least=1,
    group="checkpoints",
  )
  allow_change: tuple[str, ...] = option(
    (),
    "what of the run in --workdir may be changed, as flags or their groups:"
    " optimizer.learning_rate,data",
    group="checkpoints",
  )
  dtype: Literal["float32", "bfloat16"] = option(
    "float32", "of the computation; parameters, softmax and loss are float32"
  )
  mesh: str = option(
    "", "devices by axis, data=4,fsdp=1,tensor=2; all on data unless given"
  )
  workdir: str = option("", "where the run is kept; under runs/ unless given")
  name: str = ""
  arm: str = ""
  family: str = ""
  data: DataOptions = dataclasses.field(default_factory=DataOptions)
  optimizer: OptimizerOptions = dataclasses.field(
    default_factory=OptimizerOptions
  )
  seeds: dict[str, int] = dataclasses.field(default_factory=dict)
  objective_options: dict[str, Any] = dataclasses.field(default_factory=dict)
  trunk: dict[str, Any] = dataclasses.field(default_factory=dict)
  heads: dict[str, Any] = dataclasses.field(default_factory=dict)
  adapt: dict[str, Any] = dataclasses.field(default_factory=dict)


def flatten(tree: Any, where: str = "") -> Iterable[tuple[str, Any]]:
  """Yields the options of a tree of groups by path: ("data.corpus", ...)."""
  groups = ("data", "optimizer", "objective_options", "trunk", "adapt", "seeds")
  if not isinstance(tree, dict):
    raise UsageError(f"{where}: must hold a JSON object")
  for key, value in tree.items():
    if "." in key:  # else one option could be there twice
      raise UsageError(f"{where}: key={short(key)}: must have no dot")
    if key not in groups:
      yield key, value
      continue
    if not isinstance(value, dict):
      raise UsageError(f"{where}: {key}={short(value)}: must be an object")
    for name, leaf in value.items():
      yield f"{key}.{name}", leaf
