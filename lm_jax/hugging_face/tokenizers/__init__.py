"""Tokenizers of Hugging Face directories, read once and written.

Which ids a text has is defined by a directory's tokenizer.json, which the
model was trained with; classes of Transformers 5 make a new tokenizer of its
vocabulary and of their own options, which is said where it differs. Without
such a file it is defined by AutoTokenizer. No code of a directory is run.

Transformers itself is not called. It would open any file that
special_tokens_map.json names as vocab_file, strips white space from tokens of
vocab.txt, and its next version may give other ids. The pipelines here are
needed anyway: where a class reads a tokenizer.json alike, its form of the file
is what fingerprints of runs hold.
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
