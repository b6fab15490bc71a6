"""The probe of labels that stand beside documents: --data.label_key."""

import collections
import dataclasses
import json
import types

import numpy as np
import pytest

from lm_jax.data.corpus import open_corpus
from lm_jax.data.mixture import open_mixture
from lm_jax.data.options import DataOptions
from lm_jax.examples import passages
from lm_jax.storage import identity
from lm_jax.support.errors import UsageError
from lm_jax.tasks.label import Label

TOPICS = {"sport": "球队昨天赢了比赛。", "food": "今天的晚饭很好吃。"}


def options(tmp_path, lines, **changes):
  path = tmp_path / "labelled.jsonl"
  text = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
  path.write_text(text, "utf-8")
  own = {"corpus": str(path), "label_key": "topic", "cache": str(tmp_path)}
  return DataOptions(**(own | changes))


def lines(count=200):
  """Documents of two topics, one of them rarer, and some without a label."""
  made = []
  for number in range(count):
    topic = "sport" if number % 4 else "food"
    made.append({"text": f"{TOPICS[topic]}{number}号。", "topic": topic})
  return [*made, {"text": "没有标签。"}, {"text": "空。", "topic": None}]


def test_labels_are_equally_many_and_documents_held_out_whole(tmp_path):
  corpus = open_corpus(options(tmp_path, lines()))
  data = passages.labelled(corpus, 300, 0)
  assert set(data.labels) == set(TOPICS)
  for part in (data.train, data.test):
    counts = collections.Counter(p.label for p in part)
    assert len(set(counts.values())) == 1 and len(counts) == 2
    for passage in part:
      assert TOPICS[data.labels[passage.label]] in passage.text
  train, test = ({p.text for p in part} for part in (data.train, data.test))
  assert test and not train & test
  # The test split is the one that runs hold out.
  held = {d.text for d in corpus.documents("test")}
  assert test <= held


def test_labels_change_nothing_that_is_trained(tmp_path, tiny):
  own = options(tmp_path, lines())
  plain = dataclasses.replace(own, label_key="")
  assert open_corpus(own).fingerprint == open_corpus(plain).fingerprint
  config = tiny.config(data=own)
  assert not identity.changes(config, dataclasses.replace(config, data=plain))


class Scorer:
  """Features tell the topic by the words of a text."""

  def text_features(self, texts):
    return np.array([[float("比赛" in text)] for text in texts])


def test_the_probe_tells_its_chance(tmp_path):
  corpus = open_corpus(options(tmp_path, lines()))
  dataset = types.SimpleNamespace(corpus=corpus)
  measure = Label().measure(Scorer(), dataset)
  assert measure.metrics["probe/label"] == 1.0
  assert measure.metrics["probe/label/chance"] == 0.5
  assert measure.metrics["probe/label/labels"] == 2
  assert len(measure.items["probe/label"]) == len(measure.predictions)
  unlabelled = open_corpus(options(tmp_path, lines(), label_key=""))
  dataset = types.SimpleNamespace(corpus=unlabelled)
  assert Label().measure(Scorer(), dataset).metrics == {}
  assert "--data.label_key" in Label().why_not(Scorer(), dataset)


@pytest.mark.parametrize(
  ("content", "changes", "message"),
  [
    (lines(), {"label_key": "other"}, "no line of .* has this field"),
    (lines(5), {}, "20 different documents"),
  ],
)
def test_labels_that_can_not_be_had_are_refused(
  tmp_path, content, changes, message
):
  corpus = open_corpus(options(tmp_path, content, **changes))
  with pytest.raises(UsageError, match=message):
    passages.labelled(corpus, 300, 0)


def test_plain_text_and_mixtures_have_no_labels(tmp_path):
  own = options(tmp_path, lines())
  (tmp_path / "a.txt").write_text("text")
  with pytest.raises(UsageError, match="has no fields"):
    open_corpus(dataclasses.replace(own, corpus=str(tmp_path / "a.txt")))
  mixed = f"{own.corpus}:0.5,sotu:0.5"
  with pytest.raises(UsageError, match="is for one corpus"):
    open_mixture(dataclasses.replace(own, corpus=mixed))
  with pytest.raises(UsageError, match="it has .*president, party"):
    open_corpus(dataclasses.replace(own, corpus="sotu"))


def test_a_short_document_is_one_piece_and_a_long_one_several():
  assert passages.pieces("短。") == ["短。"]
  long = "我们昨天在学校看了一本很好的书。" * 30
  pieces = passages.pieces(long)
  assert len(pieces) > 3 and all(piece in long for piece in pieces)
