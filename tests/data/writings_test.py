"""Rows depend on writings: their rules, and the libraries that cut them."""

import json

import numpy as np

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.data import pack, rows, segmenters
from lm_jax.data.options import DataOptions
from lm_jax.support import cache


def test_sentences_of_a_run_of_before_end_as_they_did(tmp_path):
  """Its rows are found under their old name; others have another."""
  documents = ["河水上涨了。桥已经关闭。\n\n人们绕路。" * 4] * 60
  lines = [
    json.dumps({"text": f"{i} {text}"}) for i, text in enumerate(documents)
  ]
  (tmp_path / "a.jsonl").write_text("\n".join(lines))
  common = {"corpus": str(tmp_path / "a.jsonl"), "tokenizer": "bytes"}
  common |= {"cache": str(tmp_path / "cache"), "sentinels": 3}
  counts, names = {}, {}
  for ends in ("latin", "every", ""):
    options = DataOptions(
      **common, sentence_ends=ends, segmentation="english" if ends else ""
    )
    loaded = rows.load(options, 64)
    names[ends] = loaded.fingerprint
    [table] = loaded.tables
    found = table.read_rows("train", np.arange(table.rows("train")))
    counts[ends] = int((np.diff(found[pack.SENTENCE]) > 0).sum())
  [part] = loaded.corpora
  facts = part.fingerprint, loaded.tokenizer.fingerprint, "packed", 64
  assert names["latin"] == cache.key(rows.FORMAT, *facts)
  facts = *facts, "sentences of every script"
  assert names["every"] == cache.key(rows.FORMAT, *facts)
  assert names[""] not in (names["every"], names["latin"])
  assert counts["every"] > 1.5 * counts["latin"] > 0
  # What a configuration of before says nothing of was done by these.
  tree = json.loads(config_lib.to_json(Config()))
  del tree["data"]["sentence_ends"]
  del tree["data"]["segmentation"]
  before = config_lib.from_json(json.dumps(tree)).data
  assert (before.sentence_ends, before.segmentation) == ("latin", "english")


def test_english_rows_have_the_name_that_they_had_before(tmp_path):
  """Whatever is installed, and whatever the rules for other writings are."""
  lines = [
    json.dumps({"text": f"{i}. It’s “naïve”, isn’t it? – Yes. It is!"})
    for i in range(60)
  ]
  (tmp_path / "a.jsonl").write_text("\n".join(lines))
  options = DataOptions(
    corpus=str(tmp_path / "a.jsonl"),
    tokenizer="bytes",
    cache=str(tmp_path / "cache"),
    sentinels=3,
  )
  loaded = rows.load(options, 64)
  [part] = loaded.corpora
  assert loaded.fingerprint == cache.key(
    rows.FORMAT,
    *(part.fingerprint, loaded.tokenizer.fingerprint, "packed", 64),
    "sentences of every script",
  )


def test_the_segmenter_belongs_to_the_name_of_rows(tmp_path, monkeypatch):
  lines = [json.dumps({"text": f"{i} 今天天气很好。"}) for i in range(60)]
  (tmp_path / "a.jsonl").write_text("\n".join(lines))
  options = DataOptions(
    corpus=str(tmp_path / "a.jsonl"),
    tokenizer="bytes",
    cache=str(tmp_path / "cache"),
    sentinels=3,
  )
  names = set()
  for version in ("", "rjieba 0.2.2", "rjieba 0.2.3"):
    monkeypatch.setattr(
      segmenters, "_named", lambda name, v=version: v if name in v else ""
    )
    names.add(rows.load(options, 64).fingerprint)
  assert len(names) == 3
