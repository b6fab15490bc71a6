"""The data layer's flags."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal


def _flag(default: Any, text: str, absent: Any = None) -> Any:
  metadata = {"help": text, "absent": absent}
  return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class DataOptions:
  """What is read and how it becomes rows; every field is `--data.<field>`."""

  corpus: str = _flag(
    "sotu",
    'what to read: "sotu" (embedded), a TFDS name such as '
    "wikipedia/20230601.en, a directory, or a glob of .txt, .jsonl or .parquet "
    "files, gzipped or not; or several with weights, books:0.7,news:0.3",
  )
  temperature: float = _flag(
    1.0,
    "of the weights of several corpora: w counts as w^(1/temperature); above "
    "1 the small ones are read more often",
  )
  text_key: str = _flag(
    "text",
    "the field that holds the text in a JSON line, a column of Parquet or a "
    "TFDS example",
  )
  tokenizer: str = _flag(
    "bpe",
    "bpe, wordpiece, unigram, bytes, characters, or the path of a "
    "tokenizer.json",
  )
  vocabulary_size: int = _flag(
    4096, "tokens that a trained tokenizer may have, special ones included"
  )
  packing: Literal["", "packed", "document"] = _flag(
    "",
    "packed: rows are filled with pieces of several documents; document: a "
    "row holds a piece of one document only; unless given, packed where the "
    "objective does not need documents",
  )
  sentences: Literal["", "whole", "any"] = _flag(
    "",
    "with --data.packing=document: whole ends each row with a sentence, but "
    "for one that fills a row by itself; any, where the row is full and no "
    "sentence ends in its last quarter. whole unless given",
    absent="any",
  )
  sentence_ends: Literal["", "every", "latin"] = _flag(
    "",
    "every: sentences end by the marks of every script; latin: by . ! ? and an"
    " ellipsis before white space, as before there was this flag. every unless"
    " given",
    absent="latin",
  )
  errors: Literal["strict", "replace"] = _flag(
    "strict", "what to do with bytes that are not UTF-8: stop, or go on"
  )
  sentinels: int = _flag(
    100, "sentinel tokens, for span corruption and its relatives"
  )
  workers: int = _flag(
    0, "processes that read batches ahead; 0: threads do, which is enough"
  )
  cache: str = _flag(
    "",
    "directory of prepared data; by default $LM_JAX_CACHE, or else "
    "~/.cache/lm_jax",
  )
