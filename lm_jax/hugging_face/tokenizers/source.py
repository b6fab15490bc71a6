"""The vocabulary of a directory, in whichever file it is."""

from __future__ import annotations

import base64
import contextlib
import pathlib
from collections.abc import Iterator
from typing import Any

from lm_jax.hugging_face.tokenizers import files, pieces
from lm_jax.hugging_face.tokenizers.hf_classes import Kind
from lm_jax.hugging_face.tokenizers.pipelines import Source
from lm_jax.hugging_face.tokenizers.settings import Settings
from lm_jax.support.errors import UsageError

FILE = "tokenizer.json"


def find(directory: pathlib.Path, kind: Kind) -> pathlib.Path:
  """tokenizer.json, or the first of the files that stand for it."""
  listed = "vocab.json" in kind.files  # all of them are needed
  wanted = [FILE, " with ".join(kind.files)] if listed else [FILE, *kind.files]
  if (directory / FILE).is_file():
    return directory / FILE
  there = [name for name in kind.files if (directory / name).is_file()]
  if (listed and len(there) == len(kind.files)) or (there and not listed):
    return directory / there[0]
  raise UsageError(
    f"{directory}: no tokenizer files; looked for {', '.join(wanted)}"
  )


def read_source(path: pathlib.Path, kind: Kind, settings: Settings) -> Source:
  if path.name == FILE:
    return _from_json(path, kind, settings)
  if path.name == "vocab.txt":
    return Source(files.word_list(path))
  if path.name == "vocab.json":
    ids = files.check_ids(files.json_object(path), path)
    return Source(ids, merges=files.merges(path.with_name("merges.txt"), ids))
  model = pieces.read_pieces(path)
  added = model.added()
  if kind.model == "BPE":
    ids = {piece: i for i, (piece, _) in enumerate(model.vocabulary)}
    return Source(
      ids, merges=pieces.merges(ids), unknown=model.unknown, added=added
    )
  scores = kind.scores(model, settings)
  files.check_tokens([token for token, _ in scores], path)
  return Source(
    scores=scores, charsmap=model.charsmap, unknown=model.unknown, added=added
  )


def _from_json(path: pathlib.Path, kind: Kind, settings: Settings) -> Source:
  """Vocabulary, merges and compiled normalization of a tokenizer.json."""
  content = files.json_object(path)
  with readable(path):
    model = content["model"]
    if kind.model == "Unigram":
      scores = [(str(token), float(score)) for token, score in model["vocab"]]
      files.check_tokens([token for token, _ in scores], path)
      unknown = settings.flag("unk_id", 0)
      compiled = charsmap(content.get("normalizer"))
      return Source(scores=scores, charsmap=compiled, unknown=unknown)
    ids = files.check_ids(model["vocab"], path)
    merges = []
    for pair in model["merges"] if kind.model == "BPE" else []:
      left, right = pair.split(" ") if isinstance(pair, str) else pair
      merges.append((left, right))
    files.check_merges(merges, ids, path)
    return Source(ids, merges=merges)


def charsmap(normalizer: Any) -> bytes | None:
  """The compiled normalization of sentencepiece, where there is one."""
  if not normalizer:
    return None
  for step in normalizer.get("normalizers", [normalizer]):
    if step.get("type") == "Precompiled":
      return base64.b64decode(step["precompiled_charsmap"])
  return None


@contextlib.contextmanager
def readable(path: pathlib.Path) -> Iterator[None]:
  """Turns any error of a library that refuses a file into a UsageError."""
  try:
    yield
  except UsageError:
    raise
  except Exception as error:  # The library raises nothing more specific.
    reason = str(error).splitlines()[0] if str(error) else repr(error)
    raise UsageError(
      f"{path}: not a tokenizer that can be read: {reason}"
    ) from error
