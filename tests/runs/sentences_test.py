"""Objectives on sentences, in other languages, and where there are none."""

import json

import jax
import numpy as np
import pytest

from lm_jax import cli
from lm_jax.config import Config
from lm_jax.data import pack, rows
from lm_jax.data.options import DataOptions
from lm_jax.objectives import denoising, mlm_nsp, mlm_sop
from lm_jax.runs import sentences
from lm_jax.types import Spec

SENTENCES = {
  "zh": ("河水上涨了。", "桥已经关闭。", "“真的吗？”他问。", "人们绕路。"),
  "ja": ("橋が閉まった。", "「本当か？」と聞いた。", "人は回り道をした。"),
  "hi": ("नदी में पानी है। ", "पुल बंद है। ", "क्या यह सच है? "),
  "ar": ("أغلق الجسر. ", "هل هذا صحيح؟ ", "ذهب الناس! "),
  "th": ("วันนี้สะพานปิดเพราะน้ำในแม่น้ำขึ้นสูง ", "ผู้คนจึงต้องเดินทางอ้อมไปไกลกว่าเดิม "),
}


def corpus(path, documents):
  lines = [json.dumps({"text": text}) for text in documents]
  path.write_text("\n".join(lines))
  return DataOptions(
    corpus=str(path),
    tokenizer="characters",
    packing="document",
    cache=str(path.parent / "cache"),
  )


def documents(parts):
  rng = np.random.default_rng(0)
  return ["".join(rng.choice(parts, 12)) for _ in range(60)]


@pytest.mark.parametrize("language", SENTENCES)
def test_pairs_and_shuffling_in_other_languages(tmp_path, language):
  texts = documents(SENTENCES[language])
  loaded = rows.load(corpus(tmp_path / "a.jsonl", texts), 128)
  assert loaded.paired_share() > 0.6
  batch = jax.tree.map(jax.numpy.asarray, loaded.batch(0, 0, 32))
  spec = Spec("encoder", 128, loaded.vocabulary_size, loaded.specials)
  for objective in (
    mlm_nsp.MaskedLMNextSentence(),
    mlm_sop.MaskedLMSentenceOrder(),
  ):
    problem = objective.make(jax.random.key(0), batch, spec)
    assert float(problem.weights["pair"].mean()) > 0.6, objective.name
    label_B = np.asarray(problem.extra["label_B"])[problem.weights["pair"] > 0]
    assert 0.2 < label_B.mean() < 0.8
  keys_B = jax.random.split(jax.random.key(1), 32)
  mixed = denoising.shuffle_sentences(keys_B, batch, spec)
  changed_B = (mixed.tokens_BxL != batch.tokens_BxL).any(axis=1)
  assert float(changed_B.mean()) > 0.6


@pytest.fixture
def single(tmp_path):
  """Documents of one sentence each."""
  texts = [f"{i} 桥已经关闭，人们绕路" for i in range(120)]
  return corpus(tmp_path / "single.jsonl", texts)


FLAGS = (
  *("--trunk.layers=1", "--trunk.width=16", "--trunk.heads=2", "--length=32"),
  *("--trunk.feedforward=32", "--batch_size=4", "--budget=steps:1"),
  *("--eval=none", "--data.tokenizer=bytes"),
)


def flags(options, *more):
  return [
    *(f"--data.corpus={options.corpus}", f"--data.cache={options.cache}"),
    *(*FLAGS, *more),
  ]


@pytest.mark.parametrize("name", ["mlm_nsp", "mlm_sop", "denoising"])
def test_without_sentences_a_run_is_refused(tmp_path, single, capsys, name):
  run = tmp_path / "run"
  given = flags(single, f"--objective={name}", f"--workdir={run}")
  assert cli.main(["train", *given]) == 2
  [line] = capsys.readouterr().err.strip().splitlines()
  assert f"--objective={name}: " in line
  assert "holds two sentences of a document" in line
  assert not run.exists()
  if name == "denoising":
    assert cli.main(["train", *given, "--objective.shuffle=false"]) == 0


def test_few_rows_with_two_sentences_are_told(tmp_path, caplog):
  texts = [f"{i} 桥已经关闭，人们绕路" for i in range(120)]
  texts[7::20] = ["桥关了。人走了。"] * 6
  given = corpus(tmp_path / "few.jsonl", texts)
  loaded = rows.load(given, 64)
  table = loaded.tables[0].read_rows("train", np.arange(loaded.rows("train")))
  two = [
    len(set(sentence[segment > 0])) > 1
    for segment, sentence in zip(
      table[pack.SEGMENT], table[pack.SENTENCE], strict=True
    )
  ]
  assert loaded.paired_share() == pytest.approx(np.mean(two))
  assert 0 < np.mean(two) < 0.1
  config = Config(objective="mlm_sop", data=given)
  sentences.require(config, loaded)
  assert "of the training rows hold two sentences" in caplog.text


def test_a_comparison_is_refused_before_its_first_run(tmp_path, single, capsys):
  root = tmp_path / "both"
  given = flags(single, "--objectives=clm,mlm_sop", f"--workdir={root}")
  assert cli.main(["compare", *given, "--seeds=1"]) == 2
  assert "--objective=mlm_sop: cuts rows" in capsys.readouterr().err
  assert not root.exists()


def test_a_run_by_the_rules_of_before_goes_on(tmp_path, single):
  given = flags(single, "--objective=mlm_sop", f"--workdir={tmp_path / 'run'}")
  assert cli.main(["train", *given, "--data.segmentation=english"]) == 0
