"""A task's rows by step: all examples once an epoch, from any step on."""

import collections
import dataclasses
import json

import numpy as np
import pytest

from lm_jax.config import Config
from lm_jax.finetuning import dataset, splits
from lm_jax.support.errors import UsageError
from lm_jax.types import ANSWER

WORDS = ["good", "bad", "fine", "poor", "great", "awful"]


def _write(path, count, seed, label=None):
  rng = np.random.default_rng(seed)
  lines = []
  for _ in range(count):
    word = rng.integers(len(WORDS))
    noise = " ".join(rng.choice(["film", "plot", "cast"], rng.integers(1, 9)))
    value = int(word % 2) if label is None else label
    lines.append(json.dumps({"text": f"{WORDS[word]} {noise}", "label": value}))
  path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
  folder = tmp_path_factory.mktemp("sst2")
  for name, count in (("train", 90), ("dev", 20), ("test", 30)):
    _write(folder / f"{name}.jsonl", count, len(name))
  return str(folder)


def _config(place, **fields):
  config = Config(
    objective="classify",
    task="sst2",
    task_data=place,
    length=32,
    objective_options={"labels": ("negative", "positive")},
  )
  data = dataclasses.replace(
    config.data, tokenizer="bytes", vocabulary_size=400
  )
  return dataclasses.replace(config, data=data, **fields)


@pytest.fixture(scope="module")
def examples(place):
  return dataset.load(_config(place))


def _read(examples, batches):
  """How often each text was read, by its tokens."""
  found = collections.Counter()
  for rows in batches:
    for tokens_L, segment_L in zip(
      rows.tokens_BxL, rows.segment_BxL, strict=True
    ):
      for segment in range(1, segment_L.max() + 1):
        found[tuple(tokens_L[segment_L == segment].tolist())] += 1
  return found


def test_an_epoch_reads_every_example_once(examples):
  rows = examples.rows(splits.TRAIN)
  one = _read(examples, [examples.batch(0, step, 1) for step in range(rows)])
  texts = [tuple(item.tokens.tolist()) for item in examples._items["train"]]
  assert one == collections.Counter(texts)
  steps = examples.steps(0, 3, 4)
  three = _read(examples, [examples.batch(0, k, 4) for k in range(steps)])
  extra = three - collections.Counter({t: 3 * n for t, n in one.items()})
  assert sum(extra.values()) < 4 * 8  # the rest of the last batch
  assert all(three[text] >= 3 * n for text, n in one.items())


def test_a_batch_is_a_function_of_seed_and_step(place, examples):
  dataset._load.cache_clear()
  again = dataset.load(_config(place))
  for step in (7, 0, 31):
    first, second = (x.batch(3, step, 4) for x in (examples, again))
    np.testing.assert_array_equal(first.tokens_BxL, second.tokens_BxL)
    np.testing.assert_array_equal(first.label, second.label)
  other = examples.batch(4, 0, 4)
  assert not np.array_equal(
    other.tokens_BxL, examples.batch(3, 0, 4).tokens_BxL
  )


def test_processes_share_a_batch(examples):
  whole = examples.batch(0, 5, 4)
  parts = [examples.batch(0, 5, 4, process, 2) for process in range(2)]
  joined = np.concatenate([part.tokens_BxL for part in parts])
  np.testing.assert_array_equal(joined, whole.tokens_BxL)


def test_read_ahead_is_what_is_asked_for_by_step(examples):
  batches = examples.batches(0, 4, start=2)
  try:
    for step in (2, 3, 4):
      np.testing.assert_array_equal(
        next(batches).tokens_BxL, examples.batch(0, step, 4).tokens_BxL
      )
  finally:
    batches.close()


def test_the_split_to_choose_by_is_held_out_where_there_is_none(tmp_path):
  _write(tmp_path / "train.jsonl", 40, 1)
  _write(tmp_path / "dev.jsonl", 10, 2)  # stands in for the test split
  found = splits.load("sst2", str(tmp_path))
  assert (len(found["train"]), len(found["dev"])) == (36, 4)
  ids = [x.id for split in ("train", "dev") for x in found[split]]
  assert sorted(map(int, ids)) == list(range(1, 41))
  assert len(dataset.find_task("sst2").examples("test", str(tmp_path))) == 10


def test_examples_for_training_may_be_limited(place):
  few = splits.load("sst2", place, 7)
  assert len(few["train"]) == 7
  assert few["dev"] == splits.load("sst2", place)["dev"]
  with pytest.raises(UsageError, match=r"--train_examples=91: sst2 has 90"):
    splits.load("sst2", place, 91)


def test_a_label_that_is_not_known_is_told_with_its_example(tmp_path):
  for name in ("train", "dev", "test"):
    _write(tmp_path / f"{name}.jsonl", 12, 3, label=1)
  config = _config(
    str(tmp_path), objective_options={"labels": ("negative", "neutral")}
  )
  with pytest.raises(UsageError, match="never seen in training.*neutral"):
    dataset.load(config)


def test_answers_are_laid_behind_all_contexts(tmp_path):
  lines = [
    json.dumps({"en": f"word {i} " * (1 + i % 3), "de": f"Wort {i}"})
    for i in range(30)
  ]
  for name in ("train", "val", "test_2016_flickr"):
    (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
  config = _config(
    str(tmp_path),
    objective="respond",
    task="multi30k",
    length=64,
    objective_options={"answer_length": 24},
  )
  rows = dataset.load(config).batch(0, 0, 2)
  is_answer = rows.part_BxL == ANSWER
  assert not is_answer[:, :40].any() and is_answer[:, 40:].any()
  end = dataset.load(config).specials.end
  for segment_A, tokens_A in zip(
    rows.segment_BxL[:, 40:], rows.tokens_BxL[:, 40:], strict=True
  ):
    for segment in range(1, segment_A.max() + 1):
      assert tokens_A[segment_A == segment][-1] == end
