"""Directories of Hugging Face Transformers, read and written.

  pretrained.py  a directory as a model of ours, weights unread
  importing.py   the command `import`
  export.py      the command `export`, save_pretrained
  origin.py      what a model came with besides its weights
  model.py       a family's network, its parameters, and theirs
  match.py       which class of a family a file holds
  read.py        tensors to parameters, write.py the way back
  weights.py     safetensors, by safetensors_reader.py and _writer.py
  place.py       arrays straight to their devices
  tokenizers/    their tokenizers as tokenizer.json

What each family says of itself is in lm_jax/families.
"""
