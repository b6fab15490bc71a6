"""Opens the tokenizer that `--data.tokenizer` names, kept in the cache."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Callable

from absl import logging

from lm_jax import specials as specials_lib
from lm_jax.data import hashes, sidecar_files, train_tokenizer, vocabulary
from lm_jax.data.corpus import Corpus
from lm_jax.data.options import DataOptions
from lm_jax.data.tokenizer import Tokenizer
from lm_jax.data.word_facts import rules
from lm_jax.support import cache
from lm_jax.types import Specials

# Kinds whose vocabulary grows with the text, up to --data.vocabulary_size.
_LEARNT = ("bpe", "wordpiece", "unigram")


def specials_of(options: DataOptions) -> Specials:
  """Returns the special tokens of `load_tokenizer(options, ...)` in advance."""
  stated = None
  if options.tokenizer not in vocabulary.KINDS:
    path = pathlib.Path(options.tokenizer).expanduser()
    stated = sidecar_files.specials(path)
  return stated or Specials(sentinels=options.sentinels)


def _native(options: DataOptions, source: pathlib.Path) -> Tokenizer:
  """Copies a tokenizer.json that has a specials.json, both unchanged."""
  files = [p for p in map(source.with_name, sidecar_files.FILES) if p.is_file()]
  content, *others = hashes.hash_files(options.cache, [source, *files])

  def build(folder: pathlib.Path) -> None:
    Tokenizer(source)  # Raises where it is none, and names the source.
    shutil.copyfile(source, folder / "tokenizer.json")
    for path in files:
      shutil.copyfile(path, folder / path.name)
    hashes.require_same([content, *others])
    cache.seal(folder)

  facts = [(other.path.name, other.sha256) for other in others]
  name = cache.key("tokenizer 1", "native", content.sha256, facts)
  folder = cache.root(options.cache) / "tokenizers" / name
  return Tokenizer(kept(folder, build), named=source, rules=rules(options))


def kept(
  folder: pathlib.Path, build: Callable[[pathlib.Path], None]
) -> pathlib.Path:
  """Returns the undamaged tokenizer.json of a cache entry, made if missing."""
  cache.prepared(folder, build)
  names = ["tokenizer.json"]
  names += [name for name in sidecar_files.FILES if (folder / name).exists()]
  cache.require_whole(folder, names)
  return folder / "tokenizer.json"


def load_tokenizer(options: DataOptions, corpus: Corpus) -> Tokenizer:
  """Loads the tokenizer that `--data.tokenizer` names; trains it if needed.

  It is trained on the first 50 MB of the training split and kept in the cache
  under a key of corpus, kind, size, version and number of sentinels. A file
  with a specials.json beside it is used unchanged; any other gets lm_jax's
  special tokens first.

  Raises:
    UsageError: an unknown kind, a vocabulary that is too small, a file that
      is no tokenizer.json, or a file beside it that does not fit it.
  """
  vocabulary.check_kind(options.tokenizer)
  specials = Specials(sentinels=options.sentinels)
  kind = options.tokenizer
  named = None
  sources: list[hashes.Hashed] = []
  if kind in vocabulary.KINDS:
    version = options.tokenizer_version or train_tokenizer.VERSION
    facts = [kind, options.vocabulary_size, corpus.fingerprint]
    if version != train_tokenizer.FIRST_VERSION:
      facts.append(f"version {version}")
  else:
    source = pathlib.Path(kind).expanduser()
    if source.with_name(specials_lib.FILE).is_file():
      return _native(options, source)
    named = source
    sources = [hashes.hash_file(options.cache, source)]
    facts = ["adopted", sources[0].sha256]

  def build(folder: pathlib.Path) -> None:
    if kind in vocabulary.KINDS:
      texts = (document.text for document in corpus.documents("train"))
      size = options.vocabulary_size
      content = train_tokenizer.train(kind, texts, size, specials, version)
    else:
      content = vocabulary.adopt(source, specials)
    (folder / "tokenizer.json").write_text(content, encoding="utf-8")
    hashes.require_same(sources)
    cache.seal(folder)

  name = cache.key("tokenizer 1", *facts, options.sentinels)
  folder = cache.root(options.cache) / "tokenizers" / name
  tokenizer = Tokenizer(kept(folder, build), specials, named, rules(options))
  if kind in _LEARNT and len(tokenizer) < options.vocabulary_size:
    logging.warning(
      "--data.vocabulary_size=%d: the vocabulary has %d tokens; the corpus has"
      " too little text for more",
      options.vocabulary_size,
      len(tokenizer),
    )
  return tokenizer
