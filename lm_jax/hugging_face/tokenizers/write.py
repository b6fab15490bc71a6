"""Writes a tokenizer as a directory that Transformers reads."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from lm_jax.data import vocabulary
from lm_jax.families._template import Template
from lm_jax.types import ABSENT, Specials

# What stands in for a special token that a tokenizer lacks.
_OTHERWISE = {"end": "separator", "separator": "end"}
# What BERT's vocabulary calls ids that nothing uses.
_UNUSED = "[unused{}]"
_INPUTS = ("input_ids", "token_type_ids", "attention_mask")
Ids = tuple[int, ...]


def as_trained(template: Template) -> Template:
  """The texts of a model as it was fine-tuned on them, whatever its family.

  `between` stands for what parted two texts.
  """
  return dataclasses.replace(
    template, single="before A after", pair="before A between B:1 after:1"
  )


def write(
  directory: pathlib.Path,
  tokenizer_json: str,
  specials: Specials,
  max_length: int,
  template: Template,
  between: Ids = (),
  sentinels: bool = True,
) -> None:
  """Writes tokenizer.json, tokenizer_config.json, special_tokens_map.json.

  AutoTokenizer of the directory gives a text the ids that `tokenizer_json`
  gives it, with the template around them. Special tokens of ours get the
  family's names, unless a text's token has one already.

  Args:
    directory: is there.
    tokenizer_json: of the model, with what may follow.
    specials: its special tokens.
    max_length: of a text in tokens, special ones included.
    template: of the family, or `as_trained`.
    between: what parts two texts, in the latter.
    sentinels: whether the model knows its sentinels; otherwise they are no
      special tokens.
  """
  import tokenizers

  content = json.loads(tokenizer_json)
  names = _rename(content, specials, template, sentinels)
  parts = _parts(specials, between)
  content["post_processor"] = {
    "type": "TemplateProcessing",
    "single": _pieces(template.single, parts, names),
    "pair": _pieces(template.pair, parts, names),
    "special_tokens": {
      names[i]: {"id": names[i], "ids": [i], "tokens": [names[i]]}
      for i in _used(template, parts)
    },
  }
  content |= {"truncation": None, "padding": None}
  tokens: dict[str, Any] = {
    name: names[parts[part][0]]
    for name, part in template.tokens.items()
    if parts[part]
  }
  extra = _sentinels(specials, template, names) if sentinels else []
  if extra:
    tokens["additional_special_tokens"] = extra
  config = {
    **tokens,
    "tokenizer_class": "PreTrainedTokenizerFast",
    "model_max_length": max_length,
    "model_input_names": [
      name for name in _INPUTS if template.types or "type" not in name
    ],
    "padding_side": "left" if template.left else "right",
    "clean_up_tokenization_spaces": False,
  }
  tokenizer = tokenizers.Tokenizer.from_str(json.dumps(content))
  text = tokenizer.to_str(pretty=True)
  (directory / "tokenizer.json").write_text(text, encoding="utf-8")
  _write(directory / "tokenizer_config.json", config)
  _write(directory / "special_tokens_map.json", tokens)


def _parts(specials: Specials, between: Ids) -> dict[str, Ids]:
  """The ids of each part of a template; () of one that is not there."""

  def of(name: str) -> Ids:
    for part in (name, _OTHERWISE.get(name, name)):
      if getattr(specials, part) != ABSENT:
        return (getattr(specials, part),)
    return ()

  by_part = {
    part: of(part)
    for part in ("pad", "unknown", "boundary", "end", "separator", "mask")
  }
  own = {*by_part["boundary"]}
  return by_part | {
    "before": specials.before,
    "after": specials.after,
    "between": between,
    "source": tuple(i for i in specials.before if i not in own),
    "target": specials.after or by_part["end"],
  }


def _used(template: Template, parts: Mapping[str, Ids]) -> list[int]:
  """The ids of the special tokens in both layouts."""
  words = f"{template.single} {template.pair}".split()
  used = [parts[w.partition(":")[0]] for w in words if w[0] not in "AB"]
  return list(dict.fromkeys(i for ids in used for i in ids))


def _pieces(
  layout: str, parts: Mapping[str, Ids], names: Mapping[int, str]
) -> list[dict[str, Any]]:
  """A layout as the `tokenizers` library has it."""
  items: list[dict[str, Any]] = []
  for word in layout.split():
    name, _, kind = word.partition(":")
    if name in ("A", "B"):
      items.append({"Sequence": {"id": name, "type_id": int(kind or 0)}})
      continue
    items += [
      {"SpecialToken": {"id": names[i], "type_id": int(kind or 0)}}
      for i in parts[name]
    ]
  return items


def _rename(
  content: dict[str, Any],
  specials: Specials,
  template: Template,
  sentinels: bool,
) -> dict[int, str]:
  """Gives our special tokens the family's names; returns texts by id."""
  model = content["model"]
  if isinstance(model["vocab"], dict):
    had = {i: token for token, i in model["vocab"].items()}
  else:
    had = {i: token for i, (token, _) in enumerate(model["vocab"])}
  had |= {token["id"]: token["content"] for token in content["added_tokens"]}
  ours = set(vocabulary.special_tokens(specials))
  wanted = {
    getattr(specials, part): name
    for part, name in template.names.items()
    if part != "sentinels"
  }
  unused: set[int] = set()
  numbers = _sentinel_ids(specials)
  if not sentinels:
    wanted |= {id_: _UNUSED.format(i) for i, id_ in enumerate(numbers)}
    unused = {id_ for id_ in numbers if had.get(id_) in ours}
  elif "sentinels" in template.names:
    name = template.names["sentinels"]
    wanted |= {id_: name.format(i) for i, id_ in enumerate(numbers)}
  texts = set(had.values())
  new = {
    i: name
    for i, name in wanted.items()
    if had.get(i) in ours and name not in texts
  }
  renamed = {had[i]: name for i, name in new.items()}
  if isinstance(model["vocab"], dict):
    model["vocab"] = {renamed.get(t, t): i for t, i in model["vocab"].items()}
  else:
    model["vocab"] = [[renamed.get(t, t), x] for t, x in model["vocab"]]
  if model.get("unk_token") in renamed:
    model["unk_token"] = renamed[model["unk_token"]]
  content["added_tokens"] = [
    token | {"content": renamed.get(token["content"], token["content"])}
    for token in content["added_tokens"]
    if token["id"] not in unused
  ]
  return had | new


def _sentinel_ids(specials: Specials) -> list[int]:
  first, step = specials.first_sentinel, specials.sentinel_step
  return [first + step * i for i in range(specials.sentinels)]


def _sentinels(
  specials: Specials, template: Template, names: Mapping[int, str]
) -> list[str]:
  """The sentinels, where the family lists them."""
  if "sentinels" not in template.names:
    return []
  return [names[i] for i in _sentinel_ids(specials)]


def _write(path: pathlib.Path, content: dict[str, Any]) -> None:
  text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
  path.write_text(text, encoding="utf-8")
