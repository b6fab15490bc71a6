"""Special tokens of a foreign tokenizer: the ids of our Specials."""

from __future__ import annotations

import dataclasses
from typing import Any

from lm_jax.families._fields import Fields
from lm_jax.hugging_face.tokenizers.hf_classes import Kind
from lm_jax.hugging_face.tokenizers.pipelines import SPACE
from lm_jax.hugging_face.tokenizers.settings import CONFIG, Settings, str_of
from lm_jax.support.errors import UsageError
from lm_jax.types import ABSENT, Specials

_T5 = ("t5", "mt5")
_ENCODER_DECODERS = (*_T5, "bart", "mbart", "m2m_100")
_CAUSAL = ("openai-gpt", "gpt2", "gpt_neo", "llama")
# Where no file names the parts, tokens of these names play them.
_KNOWN = {
  "bos": ("<s>", "<|begin_of_text|>", "<|endoftext|>"),
  "eos": ("</s>", "<|end_of_text|>", "<|endoftext|>"),
  "unk": ("[UNK]", "<unk>"),
  "sep": ("[SEP]", "</s>"),
  "pad": ("[PAD]", "<pad>"),
  "cls": ("[CLS]", "<s>"),
  "mask": ("[MASK]", "<mask>"),
}
# Texts that show which ids are put around a text.
_PROBES = ("a", "A", "1", "the", ".")


def specials(
  tokenizer: Any,
  content: dict[str, Any],
  kind: Kind | None,
  settings: Settings,
  model_type: str,
) -> Specials:
  """Returns the special tokens of a tokenizer with tokenizer.json `content`.

  tokenizer_config.json or special_tokens_map.json names a part, else the
  class, else config.json (`cls_token_id`), else a name that is known for it
  among the added tokens.
  """
  ids = _named(tokenizer, kind, settings)
  if model_type == "xlnet":
    ids["eos"] = ids.get("sep", ABSENT)
  boundary = _first(ids, "cls", "bos", "pad" if model_type in _T5 else "eos")
  end = _first(ids, "eos", "sep")
  pad = next(i for i in (_first(ids, "pad"), end, boundary, 0) if i != ABSENT)
  ids["language"] = _language(tokenizer, kind, settings)
  before, after = _around(tokenizer, kind, ids)
  if model_type in _CAUSAL and not before and boundary != ABSENT:
    before = (boundary,)
  unknown = _unknown(content, ids)
  if unknown in {i for part, i in ids.items() if part != "unk"}:
    unknown = ABSENT
  first, sentinels, step = _sentinels(tokenizer, model_type)
  parts = Specials(
    pad=pad,
    unknown=unknown,
    boundary=boundary,
    end=end,
    separator=_first(ids, "sep", "eos"),
    mask=ids.get("mask", ABSENT),
    regular=ABSENT,
    sequential=ABSENT,
    extreme=ABSENT,
    first_sentinel=first,
    sentinels=sentinels,
    sentinel_step=step,
    start=_start(ids, settings, model_type, boundary, before),
    before=before,
    after=after,
  )
  added = tokenizer.get_added_tokens_decoder()
  special = {i for i, token in added.items() if token.special}
  special |= {i for i in ids.values() if i != ABSENT}
  others = tuple(sorted(special - set(parts.ids)))
  return dataclasses.replace(parts, others=others)


def _first(ids: dict[str, int], *parts: str) -> int:
  """Returns the id of the first part that has one, else ABSENT."""
  present = (ids[part] for part in parts if ids.get(part, ABSENT) != ABSENT)
  return next(present, ABSENT)


def _named(
  tokenizer: Any, kind: Kind | None, settings: Settings
) -> dict[str, int]:
  added = {
    t.content: i for i, t in tokenizer.get_added_tokens_decoder().items()
  }
  size = tokenizer.get_vocab_size(with_added_tokens=True)
  names = {**(kind.names if kind else {}), **settings.named}
  by_part = {}
  for part, known in _KNOWN.items():
    number = settings.config.get(f"{part}_token_id")
    if isinstance(number, list) and number:
      number = number[0]
    if part in names:
      by_part[part] = tokenizer.token_to_id(str_of(names[part]))
    elif isinstance(number, int) and 0 <= number < size:
      by_part[part] = number
    elif kind is None:
      there = (added[name] for name in known if name in added)
      by_part[part] = next(there, None)
  return {part: i for part, i in by_part.items() if i is not None}


def _language(tokenizer: Any, kind: Kind | None, settings: Settings) -> int:
  """The id of the source language's token."""
  if not kind or not kind.languages:
    return ABSENT
  told = settings.flag("src_lang", None)
  if "en_XX" in kind.languages:
    token = str(told or "en_XX")
  else:
    token = f"__{told or 'en'}__"
  number = tokenizer.token_to_id(token)
  if number is None:
    path = settings.directory / CONFIG
    raise UsageError(f"{path}: src_lang is {told!r}, which has no token")
  return number


def _around(
  tokenizer: Any, kind: Kind | None, ids: dict[str, int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
  """Returns the ids that stand before and after one text."""
  if kind is not None:
    there = {part: i for part, i in ids.items() if i != ABSENT}
    before = tuple(there[part] for part in kind.before if part in there)
    return before, tuple(there[part] for part in kind.after if part in there)
  for probe in _PROBES:
    encoding = tokenizer.encode(probe)
    text = [i for i, s in enumerate(encoding.special_tokens_mask) if not s]
    if text:
      around = tuple(encoding.ids)
      return around[: text[0]], around[text[-1] + 1 :]
  return (), ()


def _unknown(content: dict[str, Any], ids: dict[str, int]) -> int:
  """The id that stands for what the vocabulary lacks.

  The model of a tokenizer.json knows better than the name: a T5 whose pieces
  begin with <pad>, </s>, <s> has id 2 for it in Transformers.
  """
  before = content["pre_tokenizer"] or {}
  steps = before.get("pretokenizers", [before])
  if any(step.get("type") == "ByteLevel" for step in steps):
    return ABSENT  # Every text is made of bytes.
  told = content["model"].get("unk_id")
  return ids.get("unk", ABSENT) if told is None else told


def _sentinels(tokenizer: Any, model_type: str) -> tuple[int, int, int]:
  """The first sentinel's id, how many follow one another, and the step."""
  for name in ("<extra_id_{}>", f"{SPACE}<extra_id_{{}}>"):
    first = tokenizer.token_to_id(name.format(0))
    if model_type not in _T5 or first is None:
      continue
    second = tokenizer.token_to_id(name.format(1))
    step = 1 if second == first + 1 else -1
    count = 1
    while tokenizer.token_to_id(name.format(count)) == first + step * count:
      count += 1
    return first, count, step
  return ABSENT, 0, 1


def _start(
  ids: dict[str, int],
  settings: Settings,
  model_type: str,
  boundary: int,
  before: tuple[int, ...],
) -> int:
  """Returns the id that a decoder reads first."""
  if model_type not in _ENCODER_DECODERS:
    return boundary
  fields = Fields(settings.config, str(settings.directory / "config.json"))
  told = fields.decoder_start(ABSENT)
  if told != ABSENT:
    return told
  if model_type in _T5:
    return ids.get("pad", boundary)
  language = ids["language"]
  if model_type == "mbart" and language not in (ABSENT, *before):
    return language  # of an answer in the source's; mBART-50's begin with it
  return _first(ids, "eos", "sep")
