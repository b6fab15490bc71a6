"""Exports models to directories of Hugging Face Transformers."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

from lm_jax.data import tokenizer as tokenizer_lib
from lm_jax.data.tokenizer import Tokenizer
from lm_jax.families._fields import Fields
from lm_jax.families.base import VOCABULARY, Family
from lm_jax.hugging_face import card, sentences, source_files, weights
from lm_jax.hugging_face import read as read_lib
from lm_jax.hugging_face import tokenizers as tokenizers_lib
from lm_jax.hugging_face import write as write_lib
from lm_jax.hugging_face.merged import merged, without_dropout
from lm_jax.hugging_face.model import Model
from lm_jax.loaded_model import Trained
from lm_jax.models.unrolled import unroll_stack
from lm_jax.storage import litter, workdir
from lm_jax.support import registry
from lm_jax.support.errors import UsageError
from lm_jax.types import Head, Trunk

# In the directory that an export is written to before it has its name.
_WHOLE = "whole"
DTYPES = ("float32", "float16", "bfloat16")


@dataclasses.dataclass(frozen=True)
class Part:
  """A model that becomes one directory.

  name: of the directory below the one asked for; "" is that itself.
  values: of its config.json.
  stack: whose parameters it has.
  stored: dtypes by name of the tensors that are to come again.
  source: where the unused ones among them are.
  files: the folder whose tokenizer it has, where it was imported.
  """

  name: str
  model: Model
  values: Mapping[str, Any]
  stack: str = "main"
  stored: Mapping[str, str] = dataclasses.field(default_factory=dict)
  source: str = ""
  files: pathlib.Path | None = None


def save(
  model: Trained, to: str, family: str = "", dtype: str = ""
) -> list[str]:
  """Writes a model as Transformers reads it.

  What adapts it is merged into its parameters.

  Args:
    model: of a run, or imported.
    to: a directory that is new or empty.
    family: by name; by default the one it was imported from, or else that of
      its preset if its trunk fits, or of its objective.
    dtype: of the tensors; by default float32, or what an imported model's
      had that was not trained since.

  Returns:
    the directories written: `to`, or two below it for a model of rtd.

  Raises:
    UsageError: the directory is taken or can't be written; or the model does
      not fit the family, with the options that keep it from fitting; or what
      adapts it can't be merged.
  """
  check(to, family, dtype)
  model = without_dropout(merged(model))
  parts = parts_of(model, family)

  def fill(whole: pathlib.Path) -> None:
    for part in parts:
      _write_part(whole / part.name, part, model, dtype)

  write_whole(to, fill)
  return [str(pathlib.Path(to, part.name)) for part in parts]


def write_whole(to: str, fill: Callable[[pathlib.Path], None]) -> None:
  """Makes a directory that is there with all its files, or not at all.

  `to` is new or empty; `fill` writes it under another name. Raises UsageError
  where it can't be written.
  """
  target = pathlib.Path(to).resolve()
  try:
    target.parent.mkdir(parents=True, exist_ok=True)
    # Of exports that were killed; nothing else has such a name and this inside.
    litter.sweep(
      x for x in target.parent.glob(".*-*.partial") if (x / _WHOLE).is_dir()
    )
    with (
      tempfile.TemporaryDirectory(
        ".partial", f".{target.name}-", target.parent
      ) as folder,
      litter.held(pathlib.Path(folder)),
    ):
      whole = pathlib.Path(folder, _WHOLE)
      fill(whole)
      if target.exists():
        target.rmdir()
      whole.rename(target)
  except OSError as error:
    raise UsageError(
      f"--to={to}: can't be written: {error.strerror}"
    ) from error


def check(to: str, family: str, dtype: str) -> None:
  """Raises UsageError at once for what no model could be written to."""
  for flag, name, valid in (
    ("--family", family, tuple(read_lib.families())),
    ("--dtype", dtype, DTYPES),
  ):
    if name and name not in valid:
      raise registry.unknown(flag, name, valid)
  workdir.check(to, "--to")
  target = pathlib.Path(to)
  if target.exists() and any(target.iterdir()):
    raise UsageError(f"--to={to}: is there and not empty; name another")


def parts_of(model: Trained, name: str) -> list[Part]:
  """Lists the directories to write; raises UsageError if one does not fit."""
  family = read_lib.families().get(name)
  origin_part = _origin(model)
  if origin_part and family in (None, origin_part.model.family):
    return [origin_part]
  family = family or _of_preset(model) or _usual(model.config.objective)
  trunks = dict(model.network.trunks)
  part = _part(family, trunks["main"], model.outputs, model)
  others = [
    dataclasses.replace(
      _part(family, trunk, {VOCABULARY: None}, model), name=name, stack=name
    )
    for name, trunk in trunks.items()
    if name != "main"
  ]
  if not others:
    return [part]
  return [dataclasses.replace(part, name="discriminator"), *others]


def _of_preset(model: Trained) -> Family | None:
  """The family whose --trunk.preset was trained, where its trunk fits it."""
  family = read_lib.families().get(model.config.trunk.get("preset", ""))
  trunk = dict(model.network.trunks)["main"]
  if family is None or write_lib.misfits(family, trunk, model.spec.specials):
    return None
  return family


def _usual(objective: str) -> Family:
  """The family that runs of an objective are written as."""
  known = read_lib.families()
  for family in known.values():
    if objective in family.writes:
      return family
  raise UsageError(
    f"--family: needed, no family is the usual one of {objective}; valid are "
    f"{', '.join(known)}"
  )


def _part(
  family: Family,
  trunk: Trunk,
  outputs: Mapping[str, Head | None],
  model: Trained,
) -> Part:
  specials = model.spec.specials
  try:
    fitted = write_lib.model_of(family, trunk, outputs, specials)
  except UsageError as error:
    others = [
      name
      for name, other in read_lib.families().items()
      if not write_lib.misfits(other, trunk, specials)
    ]
    hint = f"; --family={' or '.join(others)} would fit" if others else ""
    raise UsageError(f"{error}{hint}") from None
  values = {
    "model_type": family.model_types[0],
    "architectures": [fitted.architecture],
    **family.config(trunk),
    **family.tokens(specials),
    **_labels(model),
  }
  theirs = family.heads(Fields(values, family.title))
  for name, head in outputs.items():
    if head is not None and theirs[name] != head:
      raise UsageError(
        f"{family.title} does not fit: its head {name} is {theirs[name]}, and "
        f"the model's {head}"
      )
  return Part("", fitted, values)


def _labels(model: Trained) -> dict[str, Any]:
  """The fields that name the labels of a classifier, where there is one."""
  for name in ("classification", "tokens"):
    head = model.outputs.get(name)
    if head is not None:
      names = list(model.config.objective_options.get("labels", ()))
      if len(names) != head.size:
        names = [f"LABEL_{i}" for i in range(head.size)]
      return {
        "id2label": {str(i): label for i, label in enumerate(names)},
        "label2id": {label: i for i, label in enumerate(names)},
      }
  return {}


def _origin(model: Trained) -> Part | None:
  """The part as the directory that it once came from has it.

  None where it came from none, or has become another network since.
  """
  folder = source_files.folder(model.source) if model.source else None
  if folder is None or not (folder / "config.json").is_file():
    return None
  trunks = dict(model.network.trunks)
  # Those that it was fine-tuned for, in the place of those that it came with.
  labels = _labels(model) if model.objective.supervised else {}
  own = write_lib.canonical(trunks["main"])
  candidates = [
    candidate
    for candidate in read_lib.describe(folder, changes=labels)
    if list(candidate.outputs.items()) == list(model.outputs.items())
    and write_lib.canonical(candidate.trunk) == own
    and len(trunks) == 1
  ]
  stored = source_files.tensors(model.source)
  if stored and candidates:
    candidates = read_lib.fitting(candidates, set(stored))
  if not candidates:
    return None
  original = candidates[0]
  values = json.loads((folder / "config.json").read_text("utf-8"))
  values = source_files.without_code(values) | labels
  named = values.get("architectures") or original.family.bare_classes
  if named[0] != original.architecture:
    values["architectures"] = [original.architecture]
  return Part(
    "", original, values, stored=stored, source=model.source, files=folder
  )


def _write_part(
  directory: pathlib.Path, part: Part, model: Trained, dtype: str
) -> None:
  directory.mkdir(parents=True)
  values = dict(part.values)
  stored = dict.fromkeys(part.stored, dtype) if dtype else part.stored
  if dtype or not stored:
    values.pop("torch_dtype", None)
    values["dtype"] = dtype or "float32"
  params = _of_stack(model.params, part)
  unused = part.model.unused(part.stored)
  with source_files.unused(part.source, unused) as kept:
    kind = dtype or "float32"
    weights.write(
      directory, write_lib.tensors(part.model, params, kind, stored, kept)
    )
  if part.files:
    source_files.give_back(part.files, directory, card=bool(part.stored))
  if not part.stored:
    text = card.text(
      model, part.model.architecture, str(part.model.family.model_types[0])
    )
    (directory / card.FILE).write_text(text, encoding="utf-8")
    if model.spec.architecture == "encoder" and part.stack == "main":
      sentences.write(directory, model)
  has_files = bool(source_files.tokenizer_files(directory))
  if model.tokenizer is not None and not has_files:
    _write_tokenizer(directory, part, model, model.tokenizer)
  text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
  (directory / "config.json").write_text(text, encoding="utf-8")


def _write_tokenizer(
  directory: pathlib.Path, part: Part, model: Trained, tokenizer: Tokenizer
) -> None:
  """Writes a tokenizer that reads texts as the family's does.

  But what was fine-tuned reads them as it was fine-tuned.
  """
  template = part.model.family.template
  between: tuple[int, ...] = ()
  objective = model.objective
  if objective.supervised:
    template = tokenizers_lib.as_trained(template)
    between = tokenizer_lib.separator_ids(tokenizer)
  tokenizers_lib.write(
    directory,
    tokenizer.files()["tokenizer.json"],
    tokenizer.specials,
    part.model.trunk.max_positions or model.config.length,
    template,
    between,
    sentinels=objective.supervised or "sentinels" in objective.needs,
  )


def _of_stack(params: Any, part: Part) -> Any:
  """The parameters by the names that the families use, layer by layer."""
  renamed = dict(params)
  if part.stack != "main":
    for name in ("stack", "output"):
      key = f"{name}_{part.stack}"
      renamed.pop(f"{name}_main", None)
      if key in renamed:
        renamed[f"{name}_main"] = renamed.pop(key)
  return renamed | {"stack_main": unroll_stack(renamed["stack_main"])}
