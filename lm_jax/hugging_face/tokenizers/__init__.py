"""Tokenizers of Hugging Face directories, read once and written.

  foreign.py   Foreign, read(): a directory -> tokenizer.json and Specials;
               special_names(): what they are called there
  files.py     the files of a directory, checked
  settings.py  what tokenizer_config.json and its kin say
  pieces.py    sentencepiece models
  source.py    the vocabulary, in whichever file it is
  kinds.py     the classes of Transformers: their files and special tokens
  pipelines.py what each of them makes of a vocabulary
  own.py       a tokenizer.json that has another pipeline than its class
  languages.py of mBART and M2M-100
  bare.py      a sentencepiece model that no class claims
  m2m.py       M2M-100, which runs sentencepiece itself
  composed.py  the normalization of sentencepiece, as it runs there
  special.py   which id plays which part
  write.py     as_trained(), write(): a tokenizer of ours for Transformers

Which ids a text has is defined by a directory's tokenizer.json, which the
model was trained with; classes of Transformers 5 make a new tokenizer of its
vocabulary and of their own options, which is said where it differs. Without
such a file it is defined by AutoTokenizer. No code of a directory is run.
"""

from lm_jax.hugging_face.tokenizers.foreign import (
  Foreign,
  check_size,
  read,
  special_names,
)
from lm_jax.hugging_face.tokenizers.write import as_trained, write

__all__ = [
  "Foreign",
  "as_trained",
  "check_size",
  "read",
  "special_names",
  "write",
]
