"""Everything that can be named, as `list` prints it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lm_jax import experiments
from lm_jax.data.options import DataOptions
from lm_jax.support import registry
from lm_jax.support.columns import columns
from lm_jax.support.options import Option, options

# Files that are found by name: their package, by kind.
PACKAGES = {
  "objectives": "lm_jax.objectives",
  "adaptations": "lm_jax.adaptation",
  "tasks": "lm_jax.tasks",
  "experiments": experiments.__name__,
  "families": "lm_jax.families",
}
KINDS = (
  "objectives",
  "adaptations",
  "architectures",
  "sizes",
  "tasks",
  "experiments",
  "corpora",
  "families",
  "templates",
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


def schema(kind: str) -> dict[str, Option]:
  """The flags that a kind takes: of corpora, how to read one."""
  if kind == "templates":
    help_line = "the name of one, which is printed so that it can be copied"
    return {"show": Option("show", str, "", help_line)}
  if kind != "corpora":
    return {}
  length = Option("length", int, 128, "tokens a row")
  return {"length": length} | options(DataOptions, "data.")


def listing(kind: str, given: Mapping[str, str] | None = None) -> str:
  """A line for each name of a kind, one of KINDS, or UsageError.

  Args:
    kind: what to list.
    given: texts of `schema(kind)` by path; where there are any, the corpus or
      template that they name is told instead.
  """
  if given and kind == "templates":
    from lm_jax.prompting import template

    return template.source(given.get("show", ""), "--show").rstrip("\n")
  if given:
    return _described(given)
  if kind in PACKAGES:
    package = PACKAGES[kind]
    own = kind == "experiments"
    names = experiments.names() if own else registry.names(package)
    found = {name: registry.summary(package, name) for name in names}
  elif kind == "architectures":
    found = _ARCHITECTURES
  elif kind == "corpora":
    found = {"sotu": registry.summary("lm_jax.data", "sotu"), **_CORPORA}
  elif kind == "templates":
    from lm_jax.prompting import template

    found = {n: template.load(n).description for n in template.names()}
  elif kind == "sizes":
    return "\n".join(_sizes())
  else:
    raise registry.unknown("", kind, KINDS)
  return columns(found.items()) or "none"


def _described(given: Mapping[str, str]) -> str:
  from lm_jax.data import own_builders, rows, statistics

  known = schema("corpora")
  values = {path: known[path].parse(text) for path, text in given.items()}
  length = values.pop("length", known["length"].default)
  chosen = DataOptions(
    **{path.partition(".")[2]: value for path, value in values.items()}
  )
  own_builders.allow(chosen.corpus)
  return statistics.describe(rows.load(chosen, length))


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
