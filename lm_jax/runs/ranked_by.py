"""Counts what arms will be ranked by, before the first run is carried out.

Pairs are drawn as the runs will draw them. With fewer than floor.FEWEST
nothing is ranked, and `compare` says so before it starts; --unranked goes on.
"""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.data import rows as rows_lib
from lm_jax.data import segmenters
from lm_jax.data.vocabulary import some
from lm_jax.examples import minimal_pairs as pairs_lib
from lm_jax.examples import task_paths
from lm_jax.report import floor, subject
from lm_jax.report import metrics as metrics_lib
from lm_jax.runs import benchmark
from lm_jax.runs.attempt import is_complete
from lm_jax.runs.experiment_flags import ExperimentFlags
from lm_jax.support import registry
from lm_jax.support.errors import UsageError
from lm_jax.tasks import minimal_pairs as pairs_task
from lm_jax.tasks.blimp import Blimp
from lm_jax.tasks.label import probe_counts

BENCHMARK = "blimp"
_TELLS = ("all", "final")  # values of --eval that measure more than the loss


def with_benchmark(
  configs: Sequence[Config], flags: ExperimentFlags, primary: str | None
) -> list[Config]:
  """Returns the runs with the benchmark that --metric or PRIMARY needs.

  Raises:
    UsageError: --metric names no measure that ranks, contradicts PRIMARY, or
      --task_data is of another task.
  """
  metric = flags.metric
  ranks = [
    n for n, m in metrics_lib.METRICS.items() if m.higher_better is not None
  ]
  if metric and metric not in ranks:
    raise registry.unknown("--metric", metric, ranks)
  if metric == metrics_lib.OWN_LOSS and not _one_objective(configs):
    raise UsageError(
      f"--metric={metric}: losses of different objectives do not compare"
    )
  if metric and primary and metric != primary and not flags.exploratory:
    raise UsageError(
      f"--metric={metric}: the experiment's file states PRIMARY={primary}; go"
      " on with --exploratory, which stores no plan"
    )
  places = task_paths.read(flags.task_data, [BENCHMARK])
  if places and BENCHMARK not in (metric, primary):
    raise UsageError(
      f"--task_data={flags.task_data[0]}: needs --metric={BENCHMARK}, which"
      " ranks by these pairs"
    )
  if BENCHMARK not in (metric, primary):
    return list(configs)
  changes: dict[str, Any] = {"benchmark": BENCHMARK}
  if place := places.get(BENCHMARK):
    changes["benchmark_data"] = str(pathlib.Path(place).expanduser().absolute())
  return [dataclasses.replace(config, **changes) for config in configs]


def record(
  configs: Sequence[Config],
  flags: ExperimentFlags,
  primary: str | None,
  old: Mapping[str, Any],
  progress: bool = True,
) -> dict[str, Any]:
  """Counts what the runs will be measured on, for experiment.json.

  Nothing is counted where all runs are complete.

  Args:
    configs: of all runs.
    primary: the measure that was preregistered, if one was.
    old: the content of experiment.json so far.

  Returns:
    {"yardstick": {"metric": what was asked for, "pairs": counts by corpus,
    "published": in words}}; what is not known is left out.

  Raises:
    UsageError: there are too few items to rank arms by, which --unranked lets
      pass, or the benchmark can't be read.
  """
  if all(map(is_complete, configs)):
    before = dict(old.get(floor.RECORD) or {})
    before.pop("metric", None)
    own = {"metric": flags.metric} if flags.metric else {}
    return _as_member(before | own)
  made: dict[str, Any] = {}
  if flags.metric:
    made["metric"] = flags.metric
  if published := _published(configs, flags):
    made["published"] = published
  ranked = primary or flags.metric
  measured = [c for c in configs if c.eval in _TELLS and not c.task]
  if measured and ranked in (None, "", floor.PAIRS):
    made["pairs"], probes = _counted(measured)
    few = min(map(_total, made["pairs"]), default=floor.FEWEST)
    needed = bool(ranked) or (_by_items(measured) and probes < floor.FEWEST)
    if few < floor.FEWEST and needed and not flags.unranked:
      raise UsageError(_too_few(made["pairs"]))
    for one in made["pairs"] if progress else ():
      text = f"minimal pairs: {floor.in_words(one['counts'])}"
      print(f"lm_jax: {one['corpus']}: {text}", file=sys.stderr)
  return _as_member(made)


def _as_member(content: Mapping[str, Any]) -> dict[str, Any]:
  return {floor.RECORD: dict(content)} if content else {}


def _total(one: Mapping[str, Any]) -> int:
  return sum(sum(kinds.values()) for kinds in one["counts"].values())


def _too_few(pairs: Sequence[Mapping[str, Any]]) -> str:
  one = min(pairs, key=_total)
  more = "give more text"
  if segmenters.CHARACTERS in one.get("words", ""):
    more = (
      "give more text, or words to pair: pip install 'lm_jax[languages]'"
      f" (now {one['words']})"
    )
  return (
    f"--data.corpus={one['corpus']}: minimal pairs of its held-out text:"
    f" {floor.in_words(one['counts'])}; it takes {floor.FEWEST} to rank arms:"
    f" {more}, or rank by another measure (--metric=blimp"
    " --task_data=blimp=FILE, --metric=bits_per_byte), or go on with"
    " --unranked, which measures and ranks nothing"
  )


def _by_items(configs: Sequence[Config]) -> bool:
  """Returns whether arms will be ranked by items, not by their own losses."""
  several = len({config.arm for config in configs}) > 1
  return several and not _one_objective(configs)


def _one_objective(configs: Sequence[Config]) -> bool:
  """Returns whether arms compare by their losses (report/arms.py)."""
  energy = any(
    config_lib.objective_class(config.objective).scoring == "energy"
    for config in configs
  )
  settings = [config_lib.flat(config) for config in configs]
  return not energy and subject.losses_compare(settings)


def _counted(configs: Sequence[Config]) -> tuple[list[dict[str, Any]], int]:
  """Counts pairs of each corpus, and the fewest items of a probe.

  A corpus that can't be read is left to its runs, which say so.
  """
  made: dict[str, dict[str, Any]] = {}
  probes: list[int] = []
  seen = set()
  for config in configs:
    data = config_lib.resolve(config).data
    if (data, config.length, config.model) in seen:
      continue
    seen.add((data, config.length, config.model))
    try:
      dataset = rows_lib.load(data, config.length)
    except UsageError:
      continue
    pairs = pairs_task.fitting_pairs(dataset)
    counts = pairs_lib.counts(pairs)
    one: dict[str, Any] = {"corpus": dataset.corpus.name, "counts": counts}
    if pairs:
      one["by_frequency"] = round(pairs_task.by_frequency(dataset, pairs), 4)
    documents = dataset.corpus.documents("test")
    texts = some((document.text for document in documents), 2**20)
    if words := segmenters.used(segmenters.writings_of(texts)):
      one["words"] = words
    known = made.get(dataset.corpus.name)
    if known is None or _total(known) > _total(one):
      made[dataset.corpus.name] = one
    probes.append(probe_counts(dataset))
  return list(made.values()), min(probes, default=0)


def _published(configs: Sequence[Config], flags: ExperimentFlags) -> str:
  """Counts the pairs of a benchmark, and says so in words; "" without one.

  Raises:
    UsageError: they can't be read, or are too few to rank by.
  """
  told = []
  for task in _benchmarks(configs):
    pairs = task.chosen()
    paradigms = len({pair.groups[-1] for pair in pairs})
    few = len(pairs) < floor.FEWEST
    if few and flags.metric == BENCHMARK and not flags.unranked:
      raise UsageError(
        f"{task.flag}: has {len(pairs)} pairs, and it takes {floor.FEWEST} to"
        " rank arms; --unranked measures them and ranks nothing"
      )
    name = pathlib.Path(task.place).name or "BLiMP of TFDS"
    told.append(
      f"{len(pairs):,} of {name}, {paradigms} paradigms, linked by {task.link}"
    )
  return "; ".join(told)


def _benchmarks(configs: Sequence[Config]) -> list[Blimp]:
  """The benchmarks of runs, each once."""
  tasks = {}
  for config in configs:
    task = benchmark.task(config)
    if task is not None:
      tasks[task.place, task.limit, task.link] = task
  return list(tasks.values())
