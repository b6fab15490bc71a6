"""Ids against AutoTokenizer of Transformers, for every class and family."""

import json
import os
import shutil

import foreign_tokenizers as foreign
import pytest
import tokenizers

from lm_jax.data import train_tokenizer, vocabulary
from lm_jax.families import _template
from lm_jax.hugging_face import tokenizers as tokenizers_lib
from lm_jax.types import Specials

os.environ["HF_HUB_OFFLINE"] = "1"
transformers = pytest.importorskip("transformers")
pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]
LINES = foreign.lines(2000, seed=5)


@pytest.fixture(scope="module")
def maker():
  return foreign.Trained()


def _same(directory, model_type, texts):
  """Reads a directory with both; returns Transformers' tokenizer."""
  config = json.loads((directory / "config.json").read_text())
  found = tokenizers_lib.read(directory, model_type, config)
  ours = tokenizers.Tokenizer.from_str(found.content)
  theirs = transformers.AutoTokenizer.from_pretrained(directory)
  encoded = ours.encode_batch(texts, add_special_tokens=False)
  for text, encoding in zip(texts, encoded, strict=True):
    assert encoding.ids == theirs.encode(text, add_special_tokens=False), text
  # "<mask>" in a text may be text for us, which changes no other text.
  ours.encode_special_tokens = True
  for text, encoding in zip(texts, encoded, strict=True):
    ids = ours.encode(text, add_special_tokens=False).ids
    assert ids == encoding.ids, text
  if model_type not in ("openai-gpt", "gpt2", "gpt_neo", "llama"):
    around = theirs.encode(foreign.SENTENCES[0])
    plain = theirs.encode(foreign.SENTENCES[0], add_special_tokens=False)
    assert around == [*found.specials.before, *plain, *found.specials.after]
  if model_type != "m2m_100":  # There, languages do not count as tokens.
    assert found.size == len(theirs)
  return theirs


@pytest.mark.parametrize("name", foreign.DIRECTORIES)
def test_vocabulary_files(name, maker, tmp_path):
  directory = tmp_path / "model"
  model_type = foreign.build(maker, name, directory)
  theirs = _same(directory, model_type, LINES)
  # And what Transformers writes: tokenizer.json, with settings in full.
  saved = tmp_path / "saved"
  theirs.save_pretrained(saved)
  shutil.copy(directory / "config.json", saved)
  _same(saved, model_type, LINES[:500])


@pytest.mark.parametrize("name", foreign.DIRECTORIES)
def test_special_tokens_in_a_text(name, maker, tmp_path):
  directory = tmp_path / "model"
  model_type = foreign.build(maker, name, directory)
  theirs = transformers.AutoTokenizer.from_pretrained(directory)
  found = tokenizers_lib.read(directory, model_type, {})
  ours = tokenizers.Tokenizer.from_str(found.content)
  special = [x for x in theirs.all_special_tokens if len(x) > 1]
  for token in special[:12]:
    text = f"the quick {token} fox{token}"
    ids = ours.encode(text, add_special_tokens=False).ids
    assert ids == theirs.encode(text, add_special_tokens=False)
    number = theirs.convert_tokens_to_ids(token)
    assert number in ids and number in found.specials.ids


def test_modernbert_and_other_files_as_they_are(maker, tmp_path):
  ids, merges = maker.bpe(["<|endoftext|>", "[CLS]", "[SEP]", "[MASK]"], "")
  theirs = tokenizers.Tokenizer(tokenizers.models.BPE(ids, merges))
  theirs.normalizer = tokenizers.normalizers.NFC()
  theirs.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(False)
  theirs.enable_truncation(3)
  theirs.post_processor = tokenizers.processors.TemplateProcessing(
    single="[CLS] $A [SEP]",
    special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
  )
  theirs.save(str(tmp_path / "tokenizer.json"))
  options = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
    "pad_token": "<|endoftext|>",
    "additional_special_tokens": ["[NEW]"],
  }
  (tmp_path / "tokenizer_config.json").write_text(json.dumps(options))
  for model_type in ("modernbert", "llama", "gpt2"):
    config = json.dumps({"model_type": model_type})
    (tmp_path / "config.json").write_text(config)
    _same(tmp_path, model_type, LINES[:500])


_MARKED = ["किताब मेज़ पर है।", "桥已经关闭。", "เราไปเดินเล่นที่สวน"] * 3


@pytest.mark.parametrize("kind", vocabulary.KINDS)
def test_tokenizers_of_ours_in_transformers(kind, tmp_path):
  specials = Specials(sentinels=3, after=(3,))
  texts = [*foreign.lines(300, seed=1), *_MARKED]
  content = train_tokenizer.train(kind, texts, 900, specials)
  template = tokenizers_lib.as_trained(_template.GPT2)
  tokenizers_lib.write(tmp_path, content, specials, 64, template)
  (tmp_path / "config.json").write_text('{"model_type": "bert"}')
  theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
  ours = tokenizers.Tokenizer.from_str(content)
  for text in (*LINES[:500], *_MARKED, "雪花 𓀀 <0x41>"):
    ids = ours.encode(text, add_special_tokens=False).ids
    assert theirs.encode(text) == [2, *ids, 3]
    assert theirs.decode(ids) == ours.decode(ids, False)
  assert theirs.mask_token_id == specials.mask
  assert theirs.pad_token_id == specials.pad
  assert theirs.model_max_length == 64
