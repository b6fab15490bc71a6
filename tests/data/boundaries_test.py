"""Documents, paragraphs and sentences keep their boundaries in rows."""

import dataclasses
import json

import numpy as np
import pytest

from lm_jax.data import pack, rows
from lm_jax.data.options import DataOptions

LENGTH = 64
# The first paragraph ends without a full stop, as a heading does.
_PARAGRAPHS = (
  "Chapter {i}",
  "It was {i} o'clock. Mr. Bell slept, and the rain fell on",
  "Then the bell rang! Nobody came; we {i} waited? Yes.",
)


@pytest.fixture(scope="module", params=["bpe", "wordpiece", "unigram"])
def dataset(request, tmp_path_factory):
  folder = tmp_path_factory.mktemp("boundaries")
  texts = [
    "\n\n".join(_PARAGRAPHS).format(i=i) + f" {i}" * (i % 50)
    for i in range(200)
  ]
  lines = [json.dumps({"text": text}) for text in texts]
  (folder / "a.jsonl").write_text("\n".join(lines))
  options = DataOptions(
    corpus=str(folder / "a.jsonl"),
    tokenizer=request.param,
    vocabulary_size=500,
    sentinels=3,
    cache=str(folder / "cache"),
  )
  return options, rows.load(options, LENGTH)


def _sentences(dataset, row_FxL):
  """(segment, text) of the sentences of a row."""
  found = []
  used = row_FxL[pack.SEGMENT] > 0
  for number in np.unique(row_FxL[pack.SENTENCE, used]):
    own = used & (row_FxL[pack.SENTENCE] == number)
    (segment,) = set(row_FxL[pack.SEGMENT, own].tolist())
    text = dataset.tokenizer.decode(row_FxL[pack.TOKENS, own])
    found.append((segment, text.strip()))
  return found


def test_sentences_stay_in_their_paragraph_and_document(dataset):
  _, dataset = dataset
  (table,) = dataset.tables
  taken = table.read_rows("train", np.arange(table.rows("train")))
  headings = starts = 0
  for row_FxL in taken.swapaxes(0, 1):
    for _, text in _sentences(dataset, row_FxL):
      # No sentence has the end of a paragraph in it, whatever signs end it.
      for end, start in (("Chapter", "It was"), ("fell on", "Then")):
        assert not (end in text and start in text), text
      headings += text.startswith("Chapter")
      starts += text.startswith("Then the bell rang")
  assert headings > 100 and starts > 100  # There was something to see.


def test_a_segment_is_of_one_document(dataset):
  options, dataset = dataset
  for other in (options, dataclasses.replace(options, packing="document")):
    (table,) = rows.load(other, LENGTH).tables
    taken = table.read_rows("train", np.arange(table.rows("train")))
    whole = ends = 0
    for row_FxL in taken.swapaxes(0, 1):
      segment_L, tokens_L = row_FxL[pack.SEGMENT], row_FxL[pack.TOKENS]
      for number in range(1, segment_L.max() + 1):
        own = tokens_L[segment_L == number]
        text = dataset.tokenizer.decode(own)
        assert text.count("Chapter") <= 1
        # A document's end ends its segment.
        end = np.flatnonzero(own == dataset.specials.end)
        assert end.tolist() in ([], [own.size - 1])
        whole += text.lstrip().startswith("Chapter")
        ends += end.size
    assert whole > 100
    assert ends == table.splits["train"].documents
