"""A tokenizer.json's own way from text to ids, beside that of its class.

Classes of Transformers 5 make a new pipeline of a tokenizer.json's vocabulary
and of their own options. Where the file has another one, a model that was
trained with the file has not read what such a class gives: the file wins.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

from lm_jax.hugging_face.tokenizers import files, source

_PARTS = ("normalizer", "pre_tokenizer", "decoder")
# What pipelines differ in: digits, contractions, accents, case, white space,
# quotes, signs of control and of width, scripts without spaces.
_LINES = (
  "In 2023, it's 1,000,000 of 12345678 words; they've 3.14 (or 0x7F).",
  "HELLO World McDonald naïve café Zürich İstanbul STRASSE straße",
  " a  b   c\td\n\ne\r\nf \n g  ",
  "\n\n\nx\n\n  y",
  "``quoted'' “q” ‘s’ don't DON'T we'LL l'eau",
  "__init__ snake_case CamelCase x+=3;y<z&&w!=v; #tag @user a.b@c.org",
  "http://a.b/c?d=e&f=g <b>bold</b> [x] {y} \\n $5.00 50%",
  "日本語テキスト 世界你好 안녕하세요 हिन्दी क्ष ไทยภาษา العربية עברית",
  "½ ﬁne Ⅻ ％ ｆｕｌｌ ﾊﾟ e\u0301 A\u030a か\u3099 각",
  "👍🏽 👩\u200d👩\u200d👧 🇩🇪 a\u00a0b\u2003c\u200bd\u3000e\ufefff\u00adg",
  "tab\there \x0b\x0c\x1b\x7f\x85 end.",
  "1 22 333 4444 55555 666666 ١٢٣ ４５６ ²³",
  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
)
# One letter of each script that many texts are of, and signs, in a context.
_LETTERS = (
  *range(0x20, 0x250),
  *range(0x2F0, 0x370, 5),
  *range(0x370, 0x700, 7),
  *range(0x900, 0x1200, 29),
  *range(0x1E00, 0x2200, 11),
  *range(0x2200, 0x3100, 61),
  *range(0x3100, 0xD800, 997),
  *range(0xF900, 0xFFFE, 53),
)
PROBES = (
  *_LINES,
  *(f"a{letter}b {letter}{letter} 1{letter}" for letter in map(chr, _LETTERS)),
)


def open_file(path: pathlib.Path) -> Any:
  """The library's tokenizer of a tokenizer.json, as the file has it."""
  import tokenizers

  content = files.json_object(path)
  compiled = source.charsmap(content.get("normalizer"))
  if compiled is not None:
    # The library panics at a broken one further down, past any handler.
    tokenizers.normalizers.Precompiled(compiled)
  model = content.get("model")
  if isinstance(model, dict) and model.get("dropout"):
    model["dropout"] = None  # The same text would give other ids each time.
  return tokenizers.Tokenizer.from_str(json.dumps(content))


def difference(own: Any, of_class: Any) -> str:
  """Tells where a class gives other ids or texts than the file; "" if not.

  Args:
    own: the tokenizer of the file.
    of_class: what the class makes of it; both with their added tokens.
  """
  mine, theirs = json.loads(own.to_str()), json.loads(of_class.to_str())
  kinds = [content["model"]["type"] for content in (mine, theirs)]
  parts = [part for part in _PARTS if mine[part] != theirs[part]]
  options = [
    {k: x for k, x in content["model"].items() if k not in ("vocab", "merges")}
    for content in (mine, theirs)
  ]
  if not parts and options[0] == options[1]:
    return ""
  what = " and ".join(parts) or f"options of its {kinds[0]}"
  read = [
    tokenizer.encode_batch(list(PROBES), add_special_tokens=False)
    for tokenizer in (own, of_class)
  ]
  for probe, one, other in zip(PROBES, *read, strict=True):
    if one.ids != other.ids:
      return f"{what}: {probe!r:.40} is {len(one.ids)} tokens and not" + (
        f" {len(other.ids)}"
        if len(one.ids) != len(other.ids)
        else " the same ones"
      )
  ids = [encoding.ids for encoding in read[0]]
  texts = [tokenizer.decode_batch(ids) for tokenizer in (own, of_class)]
  return "" if texts[0] == texts[1] else f"{what}: ids give other texts"
