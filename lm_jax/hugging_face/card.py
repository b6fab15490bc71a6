"""README.md of an export, a model card: what the model is, and its numbers.

Only what the run's own files say: no number that was not measured.
"""

from __future__ import annotations

import json
import math
import pathlib
import re
from typing import Any

from lm_jax.config import OBJECTIVES
from lm_jax.hugging_face import source_files
from lm_jax.loaded_model import Trained
from lm_jax.report import collect, metrics
from lm_jax.storage import result_file
from lm_jax.storage.digest import digest
from lm_jax.support import registry, version
from lm_jax.support.status import DONE

FILE = "README.md"
# What the hub calls the task of a class, by the end of its name.
_TASKS = {
  "ForMaskedLM": "fill-mask",
  "ForCausalLM": "text-generation",
  "LMHeadModel": "text-generation",
  "ForSequenceClassification": "text-classification",
  "ForMultipleChoice": "multiple-choice",
  "ForTokenClassification": "token-classification",
  "ForQuestionAnswering": "question-answering",
}
# The languages of corpora that are known.
_LANGUAGES = {"sotu": "en", "laws_zh": "zh"}
_MEASURED = {
  "validation_loss": "the objective's own loss on held-out text, in nats",
  "bits_per_byte": "of held-out text, by its likelihood",
  "bits_per_byte_bound": "of held-out text, an upper bound",
  "minimal_pairs": "share of pairs of which the right text scores higher",
  "probe": "accuracy of a linear classifier on the model's frozen states",
}


def text(model: Trained, architecture: str, family: str) -> str:
  """The card of a model that is no unchanged import.

  architecture, family: its class in Transformers, and its model_type.
  """
  config = model.config
  made = "imported" if config.family else "trained"
  lines = [
    *_front_matter(model, architecture, family),
    "",
    f"# {config.name or pathlib.Path(model.source).name or config.objective}",
    "",
    f"A {architecture} that was {made} and exported by lm_jax"
    f" {version.__version__}.",
  ]
  if not config.family:
    result = _result(model)
    lines += ["", "## Training", "", *_training(model, result)]
    lines += ["", "## Numbers", "", *_numbers(model, result)]
  return "\n".join(lines) + "\n"


def _result(model: Trained) -> dict[str, Any]:
  """Reads result.json; {} if it is not about these parameters."""
  path = pathlib.Path(model.source, result_file.FILE)
  if not model.source or not path.is_file():
    return {}
  result = result_file.read(path, "remove it to export without its numbers")
  if seal := collect.seal_of(model.source):
    result = seal.shown(result)
  if result["status"] != DONE:
    return {}
  # A chosen step, or a part of a model, has another digest than the last one.
  whole = not model.config.task and not model.config.adapt
  if result.get("objectives"):
    # So has the model of one of several phases.
    return result | {"metrics": _by(model, result), "items": {}}
  if whole and result.get("digest") != digest(model.params):
    return {}
  return result


def _by(model: Trained, result: dict[str, Any]) -> dict[str, Any]:
  """The metrics that a model's own objective has measured, of several."""
  own = model.config.objective
  own = "" if own == result.get("objective") else own
  parts = {n: metrics.split(n) for n in result.get("metrics") or {}}
  return {
    name: result["metrics"][full]
    for full, (name, objective) in parts.items()
    if objective == own
  }


def _front_matter(model: Trained, architecture: str, family: str) -> list[str]:
  """Lists the lines of YAML that the hub reads; texts are quoted as in JSON."""
  config = model.config
  fields = {"library_name": "transformers"}
  kept = _kept(model)
  language = kept.get("language") or _LANGUAGES.get(config.data.corpus, "")
  if language:
    fields["language"] = language
  if kept.get("license"):
    fields["license"] = kept["license"]
  for end, task in _TASKS.items():
    if architecture.endswith(end):
      fields["pipeline_tag"] = task
  tags = ["lm_jax", family, config.objective]
  tags += [config.task] if config.task else []
  if model.spec.architecture == "encoder":
    tags += ["sentence-transformers", "feature-extraction"]
  lines = [f"{name}: {json.dumps(value)}" for name, value in fields.items()]
  tagged = (f"- {json.dumps(tag)}" for tag in dict.fromkeys(tags))
  return ["---", *lines, "tags:", *tagged, "---"]


def _kept(model: Trained) -> dict[str, str]:
  """License and language of the card that the model's base came with."""
  path = source_files.folder(model.source) / FILE if model.source else None
  if path is None or not path.is_file():
    return {}
  content = path.read_text("utf-8", errors="replace")
  if not content.startswith("---\n"):
    return {}
  front = content[3:].partition("\n---\n")[0]
  pairs = re.findall(r"^(license|language): *([\w.-]+)$", front, re.MULTILINE)
  return dict(pairs)


def _training(model: Trained, result: dict[str, Any]) -> list[str]:
  """A list of what it was trained on, and how long."""
  config = model.config
  summary = registry.summary(OBJECTIVES, config.objective)
  facts = {
    "objective": f"{config.objective}: {summary}",
    # Without the folders of this machine.
    "data": _code(",".join(map(_last, config.data.corpus.split(",")))),
    "tokenizer": _code(_last(config.data.tokenizer)),
    "rows": f"{config.length} tokens, {config.batch_size} a batch",
    "budget": _code(config.budget),
    "seed": str(config.seed),
  }
  if several := result.get("objectives"):
    facts["phases"] = f"trained by {' and '.join(map(str, several))}"
  if config.task:
    facts |= {"data": f"examples of the task {_code(config.task)}"}
  if config.model:
    facts["trained further from"] = _code(_last(config.model))
  if config.adapt:
    facts["adapted by"] = _code(str(config.adapt["method"]))
  if "parameters" in result and not config.adapt:
    facts["parameters"] = f"{result['parameters']:,}"
  ledger = result.get("ledger") or {}
  for name, what in {"steps": "steps", **metrics.CURRENCIES}.items():
    if name in ledger:
      facts[what] = metrics.amount(ledger[name], name)
  if result.get("commit"):
    facts["commit of lm_jax"] = _code(result["commit"])
  return [f"- {name}: {value}" for name, value in facts.items()]


def _numbers(model: Trained, result: dict[str, Any]) -> list[str]:
  """A table of what was measured at the run's end, and how."""
  rows = []
  for name, value in sorted((result.get("metrics") or {}).items()):
    if not isinstance(value, int | float) or not math.isfinite(value):
      continue
    items = (result.get("items") or {}).get(name)
    count = f"{len(items):,}" if isinstance(items, list) else ""
    metric = metrics.get(name)
    shown = metrics.show(name, value) + (" %" if metric.unit == "%" else "")
    rows.append(f"| {metric.label} | {shown} | {count} | {_how(name)} |")
  if not rows:
    return ["None were measured of these parameters."]
  return [
    "Measured by lm_jax when the run ended, on text or examples that it was"
    " not trained on.",
    "",
    "| what | value | items | how |",
    "|---|--:|--:|---|",
    *rows,
  ]


def _how(name: str) -> str:
  for known, how in _MEASURED.items():
    if name == known or name.startswith(f"{known}/"):
      return how
  return f"the task's own measure, {_code(name)}"


def _last(path: str) -> str:
  """A local path's own name; names of data sets (a/b:1.0.0) as they are."""
  local = path.startswith((".", "~", "/"))
  return pathlib.PurePath(path).name if local else path


def _code(value: str) -> str:
  """Formats a text as code, so that nothing in it is markup."""
  plain = "".join(x if x.isprintable() and x != "`" else " " for x in value)
  return f"`{plain or ' '}`"
