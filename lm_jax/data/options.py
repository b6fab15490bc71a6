"""Flags of the data layer."""

from __future__ import annotations

import dataclasses
from typing import Literal

from lm_jax.support.options import option


@dataclasses.dataclass(frozen=True)
class DataOptions:
  """Flags that say what is read and how it becomes rows: `--data.<field>`."""

  corpus: str = option(
    "sotu",
    "the text to read: sotu (embedded), laws_zh (of the extra zh), a TFDS name "
    "such as wikipedia/20230601.en, a directory, or a glob of .txt, .jsonl or "
    ".parquet files, gzipped or not; or several with weights, "
    "books:0.7,news:0.3",
  )
  temperature: float = option(
    1.0,
    "temperature of the weights of several corpora: a weight w counts as "
    "w^(1/temperature); above 1, small corpora are read more often",
    above=0,
  )
  text_key: str = option(
    "text",
    "name of the field that holds the text: in a JSON line, a Parquet file "
    "(its column) or a TFDS example",
  )
  label_key: str = option(
    "",
    "name of a field beside the text that labels each document, in a JSON line"
    " or a TFDS example: a probe then tells how well features predict it in"
    " held-out documents. It changes nothing that is trained",
    absent="",
  )
  unique: str = option(
    "",
    "what is read of the training documents, over and over: tokens:1e6,"
    " words:1e6 (parted by white space), jieba:1e6 (its pieces), documents:100,"
    " bytes:1e6 or share:0.1; a prefix of the shuffled documents"
    " that is the same for every arm and seed, and part of every larger one;"
    " all unless given. The tokenizer is trained on all",
    absent="",
  )
  tokenizer: str = option(
    "bpe",
    "the tokenizer: bpe, wordpiece, unigram, bytes, characters, or the path of "
    "a tokenizer.json",
  )
  vocabulary_size: int = option(
    4096, "most tokens of a trained tokenizer, special tokens included"
  )
  tokenizer_version: Literal["", "2", "1"] = option(
    "",
    "rules by which a tokenizer is trained; 2: combining marks stay with their"
    " letters, unigram is on characters, and few are unknown to wordpiece and"
    " characters; 1: as before this flag existed. 2 by default",
    absent="1",
  )
  packing: Literal["", "packed", "document"] = option(
    "",
    "how rows are filled; packed: with pieces of several documents; document: "
    "with a piece of one document only; by default packed, unless the "
    "objective needs documents",
  )
  sentences: Literal["", "whole", "any"] = option(
    "",
    "where rows end with --data.packing=document; whole: at the end of a "
    "sentence, unless one sentence fills the row; any: also where the row is "
    "full and no sentence ends in its last quarter. whole by default",
    absent="any",
  )
  sentence_ends: Literal["", "every", "latin"] = option(
    "",
    "which marks end a sentence; every: those of every script; latin: . ! ? "
    "and an ellipsis before white space, as before this flag existed. every by "
    "default",
    absent="latin",
  )
  segmentation: Literal["", "script", "english"] = option(
    "",
    "the rules for words and sentences; script: those of each script; english: "
    "words are the tokenizer's own, and abbreviations and quotes English ones, "
    "as before this flag existed. script by default",
    absent="english",
  )
  encoding: str = option(
    "utf-8",
    "the encoding of .txt and .jsonl files, by Python's name: gb18030, big5,"
    " shift_jis, euc-kr, utf-16, ...",
    absent="utf-8",
  )
  errors: Literal["strict", "replace"] = option(
    "strict",
    "at bytes that are not of the encoding: stop, or replace them and go on",
  )
  sentinels: int = option(
    100,
    "number of sentinel tokens, for span corruption and its relatives",
    least=0,
  )
  workers: int = option(
    0,
    "number of processes that read batches ahead; 0: threads read them, which "
    "is fast enough",
    least=0,
  )
  cache: str = option(
    "",
    "directory for prepared data; by default $LM_JAX_CACHE, or else "
    "~/.cache/lm_jax",
  )
