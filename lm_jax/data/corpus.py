"""Opens a corpus (embedded, local files or TFDS) as documents in splits."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from lm_jax.data import (
  catalog,
  embedded,
  encodings,
  files,
  formats,
  hashes,
  labels,
  own_builders,
  text_builder,
  tfds_features_check,
  threads,
)
from lm_jax.data import text as texts
from lm_jax.data.options import DataOptions
from lm_jax.data.text import SPLITS as SPLITS
from lm_jax.support import cache
from lm_jax.support.errors import about

# The numbers in the keys below go up when the documents or splits that this
# code makes of the same source change.


@dataclasses.dataclass(frozen=True)
class Document:
  """A text or a piece of one.

  metadata: the other fields of the example. `ends` is False where the text
    continues in the next document or in another split.
  """

  text: str
  metadata: dict[str, Any]

  @property
  def ends(self) -> bool:
    return self.metadata.get("ends", True)


@dataclasses.dataclass(frozen=True)
class Corpus:
  """A named collection of documents in three splits.

  fingerprint: hexadecimal; equal for equal documents in equal splits, and so
    corpora of one name are.
  read: returns the documents of a split, in a fixed order.
  size: returns about how many bytes the training split has, 0 if unknown;
    this prepares the corpus.
  labelled: returns the text and the label of each document of a split that has
    one, by --data.label_key; None without that flag.
  label_key: that field; "" without.
  """

  name: str
  fingerprint: str
  read: Callable[[str], Iterator[Document]] = dataclasses.field(compare=False)
  size: Callable[[], int] = dataclasses.field(default=lambda: 0, compare=False)
  labelled: Callable[[str], Iterator[tuple[str, str]]] | None = (
    dataclasses.field(default=None, compare=False)
  )
  label_key: str = dataclasses.field(default="", compare=False)

  def documents(self, split: str) -> Iterator[Document]:
    """Streams the documents of "train", "validation" or "test"."""
    if split not in SPLITS:
      raise ValueError(f"split {split!r}; valid: {', '.join(SPLITS)}")
    return self.read(split)


def _plain(
  example: dict[str, Any], text_key: str, errors: str, where: str
) -> Document:
  """Turns a TFDS example into a document: str texts and Python numbers."""
  facts: dict[str, Any] = {}
  for name, value in example.items():
    if isinstance(value, bytes):
      facts[name] = formats.decode(value, errors, where)
    elif isinstance(value, str | int | float):
      facts[name] = value
    elif getattr(value, "ndim", None) == 0:
      facts[name] = value.item()
  return Document(facts.pop(text_key), facts)


def _directory(
  name: str,
  fingerprint: str,
  path: pathlib.Path,
  make: Callable[[pathlib.Path], Any],
  sources: Sequence[hashes.Hashed] = (),
) -> Corpus:
  """A corpus of one of lm_jax's own TFDS builders, prepared in `path`.

  sources: the files that `make` reads.
  """

  def check(names: Iterable[pathlib.Path]) -> None:
    cache.require_whole(path, [str(n.relative_to(path)) for n in names])

  def build(partial: pathlib.Path) -> None:
    with catalog.quiet(partial):
      make(partial).download_and_prepare()
    hashes.require_same(sources)
    cache.seal(partial)

  def prepared(split: str) -> tuple[Any, list[str]]:
    import tensorflow_datasets as tfds

    cache.prepared(path, build)
    info_files = list(path.glob("*/*/dataset_info.json"))
    if len(info_files) != 1:
      raise cache.damaged(path, "it has no dataset_info.json")
    (folder,) = info_files
    check(path.glob("*/*/*.json"))
    tfds_features_check.check(folder.parent)
    builder = tfds.builder_from_directory(folder.parent)
    # Long training texts are in several splits: train_00+train_01+...
    names = [n for n in builder.info.splits if n.partition("_")[0] == split]
    return builder, sorted(names, key=lambda name: (len(name), name))

  def read(split: str) -> Iterator[Document]:
    builder, names = prepared(split)
    with about(f"--data.corpus={name}"):
      threads.require()
    for part in names:  # Each is held to its digest when it is needed.
      check(map(pathlib.Path, builder.info.splits[part].filepaths))
      source = builder.as_data_source(split=part)
      for example in catalog.examples(source, str(path)):
        yield _plain(example, "text", "strict", str(path))

  def size() -> int:
    builder, names = prepared("train")
    return sum(int(builder.info.splits[name].num_bytes) for name in names)

  return Corpus(name, fingerprint, read, size)


def _open_embedded(options: DataOptions) -> Corpus:
  name = options.corpus
  module = embedded.CORPORA[name]
  fingerprint = module.fingerprint()

  def make(folder: pathlib.Path) -> Any:
    return text_builder.make(folder, module.TITLE, module.FIELDS, module.splits)

  path = cache.root(options.cache) / "tfds" / f"{name}-{fingerprint}"
  corpus = _directory(name, fingerprint, path, make)
  if not options.label_key:
    return corpus
  fields = [field for field in module.FIELDS if field not in ("id", "text")]
  labels.require_known(options.label_key, fields)
  return dataclasses.replace(
    corpus,
    labelled=functools.partial(_labelled, corpus, options.label_key),
    label_key=options.label_key,
  )


def _open_files(options: DataOptions) -> Corpus:
  paths = formats.find(options.corpus)
  sources = hashes.hash_files(options.cache, paths)
  digests = [source.sha256 for source in sources]
  names = [path.name for path in paths]
  facts = [options.text_key, options.errors]
  encoding = encodings.check(options.encoding)
  if encoding != encodings.UTF8:
    facts.append(encoding)
  fingerprint = cache.key("files 1", names, digests, *facts)

  def plan() -> files.Plan:
    return files.plan(paths, options.text_key, options.errors, encoding)

  def make(folder: pathlib.Path) -> Any:
    planned = plan()
    fields = {"text": str, "name": str, "ends": np.bool_}
    return text_builder.make(folder, "local_text", fields, planned.splits)

  path = cache.root(options.cache) / "tfds" / f"files-{fingerprint}"
  corpus = _directory(options.corpus, fingerprint, path, make, sources)
  if not options.label_key:
    return corpus

  def labelled(split: str) -> Iterator[tuple[str, str]]:
    return labels.of_files(plan(), options.label_key, split)

  labels.require_files(paths, options.label_key)
  return dataclasses.replace(
    corpus, labelled=labelled, label_key=options.label_key
  )


def _open_catalog(options: DataOptions) -> Corpus:
  """Opens a TFDS data set; missing splits are taken from its training split."""
  flag = f"--data.corpus={options.corpus}"
  with about(flag):
    if own_builders.is_directory(options.corpus):
      builder = own_builders.from_directory(options.corpus)
    else:
      builder = catalog.find(options.corpus)
  name = builder.info.full_name
  catalog.check_text(builder, options.text_key)
  fingerprint = cache.key("tfds 1", name, options.text_key, options.errors)

  def read(split: str) -> Iterator[Document]:
    with about(flag):
      catalog.prepare(builder, options.corpus)
      existing = builder.info.splits
      source_split = split if split in existing else "train"
      source = catalog.source(builder, source_split)
    examples = catalog.examples(source, str(builder.data_dir))
    for index, example in enumerate(examples):
      where = f"{name}, {source_split}[{index}]"
      document = _plain(example, options.text_key, options.errors, where)
      if document.text.strip() and split == _split(document, split, existing):
        yield document

  def size() -> int:
    with about(flag):
      catalog.prepare(builder, options.corpus)
    return int(builder.info.splits["train"].num_bytes)

  corpus = Corpus(options.corpus, fingerprint, read, size)
  if not options.label_key:
    return corpus
  labels.require_field(builder, options.label_key)
  return dataclasses.replace(
    corpus,
    labelled=functools.partial(_labelled, corpus, options.label_key),
    label_key=options.label_key,
  )


def _labelled(
  corpus: Corpus, key: str, split: str
) -> Iterator[tuple[str, str]]:
  for document in corpus.documents(split):
    if (label := labels.as_label(document.metadata.get(key))) is not None:
      yield document.text, label


def _split(document: Document, split: str, existing: Any) -> str:
  """Returns the split of a document that was read for `split`."""
  if split != "train" and split in existing:
    return split
  held = texts.held_out(texts.text_hash(document.text))
  # What the data set has already need not be held out again.
  return "train" if held in existing else held


def open_corpus(options: DataOptions) -> Corpus:
  """Opens the corpus that `--data.corpus` names, or raises UsageError.

  Documents are read later.
  """
  encodings.check(options.encoding)
  if options.corpus in embedded.CORPORA:
    return _open_embedded(options)
  if own_builders.is_directory(options.corpus):
    return _open_catalog(options)
  if formats.looks_like_files(options.corpus):
    return _open_files(options)
  return _open_catalog(options)
