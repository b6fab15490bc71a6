"""Reads a Hugging Face directory's tokenizer: tokenizer.json and Specials."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

from lm_jax.hugging_face.tokenizers import (
  files,
  m2m,
  own,
  plain_sentencepiece,
  rebuilt,
  source,
  special,
)
from lm_jax.hugging_face.tokenizers.hf_classes import KINDS, OF_MODEL, Kind
from lm_jax.hugging_face.tokenizers.settings import (
  PARTS,
  Settings,
  read_settings,
  str_of,
)
from lm_jax.hugging_face.tokenizers.source import FILE, readable
from lm_jax.support.errors import UsageError
from lm_jax.types import Specials

_KINDS = {**KINDS, "M2M100Tokenizer": m2m.KIND}
# Classes that take a tokenizer.json as it is.
_AS_IS = ("PreTrainedTokenizer", "TokenizersBackend", "")


@dataclasses.dataclass(frozen=True)
class Foreign:
  """The tokenizer of a Hugging Face directory.

  content: a tokenizer.json; encoded without special tokens around, a text has
    the ids that the directory's tokenizer.json gives it, or, where there is
    none, Transformers' AutoTokenizer.
  specials: the ids of its special tokens.
  languages: ids of the language tokens by language, where it has them.
  size: number of ids, added tokens included.
  note: where the class of Transformers differs from the file; "" if nowhere.
  """

  content: str
  specials: Specials
  languages: dict[str, int]
  size: int
  note: str = ""


def check_size(foreign: Foreign, rows: int, directory: pathlib.Path) -> None:
  """Raises UsageError where the embedding has too few rows."""
  if foreign.size > rows:
    raise UsageError(
      f"{directory}: its tokenizer has {foreign.size} tokens, but the "
      f"embedding {rows} rows; valid are at least as many rows"
    )


def read(
  directory: pathlib.Path, model_type: str, config: dict[str, Any]
) -> Foreign:
  """Reads the tokenizer of a directory.

  model_type, config: of its config.json.

  Raises:
    UsageError: no tokenizer files, a broken one, a class of tokenizers that
      is not known.
  """
  settings = read_settings(directory, config)
  name = _class_name(settings, model_type)
  kind, note = _KINDS.get(name), ""
  languages = kind.languages if kind else ()
  if kind is m2m.KIND:
    tokenizer, languages = m2m.build(settings)
  elif kind:
    tokenizer, note = _of_kind(name, settings)
  elif (directory / FILE).is_file() or name in _AS_IS:
    tokenizer = _as_it_is(settings)
    if differs := rebuilt.difference(name, tokenizer, settings):
      note = _told(directory / FILE, name, differs)
  else:
    raise UsageError(
      f"{directory}: its tokenizer is a {name}, and there is no {FILE}; known "
      f"are {', '.join(_KINDS)}"
    )
  tokenizer.no_truncation()
  tokenizer.no_padding()
  content = json.loads(tokenizer.to_str())
  specials = special.specials(tokenizer, content, kind, settings, model_type)
  content["post_processor"] = None  # What stands around a text is in Specials.
  ids = tokenizer.get_vocab(with_added_tokens=True)
  return Foreign(
    content=json.dumps(content, ensure_ascii=False),
    specials=specials,
    languages={x.strip("_"): ids[x] for x in languages if x in ids},
    size=max(ids.values()) + 1,
    note=note,
  )


def special_names(
  directory: pathlib.Path, model_type: str, config: dict[str, Any]
) -> dict[str, str]:
  """Transformers' special_tokens_map: texts by name, "bos_token".

  The arguments and errors are those of `read`.
  """
  settings = read_settings(directory, config)
  kind = _KINDS.get(_class_name(settings, model_type))
  parts = {**(kind.names if kind else {}), **settings.named}
  return {f"{part}_token": str_of(token) for part, token in parts.items()}


def _class_name(settings: Settings, model_type: str) -> str:
  """The class that AutoTokenizer takes, "" for the one without pipeline."""
  name = settings.class_name
  if model_type == "modernbert":
    return ""
  path = settings.directory / FILE
  if name == "LlamaTokenizer" and path.is_file():
    return "" if '"ByteLevel"' in files.text(path) else name
  return name or OF_MODEL.get(model_type, "")


def _of_kind(name: str, settings: Settings) -> tuple[Any, str]:
  """The tokenizer of a class, or of a file that differs, and the difference."""
  kind, path = KINDS[name], settings.directory / FILE
  if not path.is_file():
    return _built(kind, settings), ""
  with readable(path):
    mine = own.open_file(path)
    _add(mine, kind, None, settings)
  try:
    theirs = _built(kind, settings)
    differs = own.difference(mine, theirs)
  except UsageError as error:  # The class has another kind of vocabulary.
    theirs, differs = None, str(error)
  if not differs:
    return theirs, ""
  return mine, _told(path, name, differs)


def _told(path: pathlib.Path, name: str, differs: str) -> str:
  return (
    f"{path}: is used as it is, as the model was trained with it; a"
    f" {name} of Transformers 5 would differ in its {differs}"
  )


def _built(kind: Kind, settings: Settings) -> Any:
  path = source.find(settings.directory, kind)
  vocabulary = source.read_source(path, kind, settings)
  with readable(path):
    tokenizer = kind.build(vocabulary, settings)
    _add(tokenizer, kind, vocabulary.added, settings)
  return tokenizer


def _as_it_is(settings: Settings) -> Any:
  """A tokenizer.json with the added tokens, or a bare sentencepiece model."""
  path = settings.directory / FILE
  model = settings.directory / "tokenizer.model"
  if not path.is_file() and not model.is_file():
    raise UsageError(
      f"{settings.directory}: no tokenizer files; looked for {FILE}, "
      f"{model.name}"
    )
  if path.is_file():
    with readable(path):
      tokenizer = own.open_file(path)
      _add(tokenizer, None, None, settings)
    return tokenizer
  with readable(model):
    tokenizer, given, names = plain_sentencepiece.build(model)
    told = {**names, **settings.named}
    _add(tokenizer, None, given, dataclasses.replace(settings, named=told))
  return tokenizer


def _add(
  tokenizer: Any, kind: Kind | None, given: list[Any] | None, settings: Settings
) -> None:
  """Adds the added and the special tokens in the order of Transformers."""
  import tokenizers

  def token(value: Any, named: bool = False) -> Any:
    if isinstance(value, str):
      # Pieces like "." that ALBERT's and XLNet's users defined are text.
      special = named or len(value) > 1
      return tokenizers.AddedToken(value, special=special, normalized=False)
    value.special = named or (value.special and len(value.content) > 1)
    return value

  names: dict[str, Any] = dict(kind.names) if kind else {}
  if kind and kind.mask_strips:
    names["mask"] = tokenizers.AddedToken(names["mask"], lstrip=True)
  names.update(settings.named)
  extra = settings.extra
  if extra is None:
    if given is None:
      given = settings.flag("additional_special_tokens", None)
    extra = kind.extra(given, settings) if kind else given or []
  named = [token(names[part], True) for part in PARTS if part in names]
  added = [token(settings.added[i]) for i in sorted(settings.added)]
  extra = [token(value) for value in (*settings.own, *extra)]
  tokenizer.add_tokens([*added, *named, *extra])
