"""A tokenizer.json that has another pipeline than its class: the file wins."""

import json
import types

import foreign_directories
import foreign_tokenizers as foreign
import numpy as np
import pytest
import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

from lm_jax.hugging_face import pretrained
from lm_jax.hugging_face import tokenizers as tokenizers_lib
from lm_jax.hugging_face.tokenizers import own, rebuilt

SPLIT = pre_tokenizers.Sequence(
  [
    pre_tokenizers.Split(Regex(r"\p{N}{1,3}"), "isolated"),
    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
  ]
)


def _file(directory, name, change):
  """A directory's tokenizer as tokenizer.json, with a change; its type."""
  kind = foreign.build(foreign.Handmade(), name, directory)
  found = tokenizers_lib.read(directory, kind, {})
  tokenizer = tokenizers.Tokenizer.from_str(found.content)
  change(tokenizer)
  tokenizer.save(str(directory / "tokenizer.json"))
  return kind, tokenizer


def _digits(tokenizer):
  """Numbers by three digits, for which the vocabulary has words."""
  content = json.loads(tokenizer.to_str())
  vocab, merges = content["model"]["vocab"], content["model"]["merges"]
  for merge in (("2", "0"), ("20", "2"), ("0", "2"), ("02", "3")):
    merges.append(list(merge))
    vocab.setdefault("".join(merge), len(vocab))
  vocab.setdefault("<unk>", len(vocab))
  tokenizer.model = tokenizers.models.BPE(
    vocab, [tuple(x) for x in merges], unk_token="<unk>"
  )
  tokenizer.pre_tokenizer = SPLIT


def _lower(tokenizer):
  tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)


def _squeeze(tokenizer):
  tokenizer.normalizer = normalizers.Replace(Regex(" {2,}"), " ")


CASES = {
  "gpt2": (_digits, "in 2023", "pre_tokenizer"),
  "roberta": (_digits, "in 2023", "pre_tokenizer"),
  "bert": (_lower, "The Quick fox", "normalizer"),
  "llama": (_squeeze, "the  quick", "normalizer"),
  "t5": (_squeeze, "the  quick", "normalizer"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_file_wins_and_it_is_said(tmp_path, name):
  change, text, part = CASES[name]
  kind, theirs = _file(tmp_path / "model", name, change)
  found = tokenizers_lib.read(tmp_path / "model", kind, {})
  mine = tokenizers.Tokenizer.from_str(found.content)
  for line in (text, *foreign.lines(60, seed=3)):
    expected = theirs.encode(line, add_special_tokens=False).ids
    assert mine.encode(line, add_special_tokens=False).ids == expected, line
  # T5 has the words of a text apart, so that the class gives the same there.
  if name == "t5":
    assert found.note == ""
    return
  assert part in found.note and "\n" not in found.note
  assert "tokenizer.json: is used as it is" in found.note


def test_numbers_are_cut_as_the_file_says(tmp_path):
  """Of Transformers' class, "2023" would be 20 23 or what merges give."""
  kind, _ = _file(tmp_path / "model", "gpt2", _digits)
  found = tokenizers_lib.read(tmp_path / "model", kind, {})
  tokenizer = tokenizers.Tokenizer.from_str(found.content)
  assert tokenizer.encode("2023").tokens == ["202", "3"]


def _of_class(directory, name, change):
  """The directory of GPT-2's words, under the name of another class."""
  _file(directory, "gpt2", change)
  path = directory / "tokenizer_config.json"
  path.write_text(json.dumps({"tokenizer_class": name}))
  return tokenizers_lib.read(directory, "llama", {})


@pytest.mark.parametrize("name", rebuilt.CLASSES)
def test_classes_that_other_families_come_with_are_compared(tmp_path, name):
  found = _of_class(tmp_path / "other", name, _digits)
  mine = tokenizers.Tokenizer.from_str(found.content)
  assert mine.encode("2023").tokens == ["202", "3"]
  assert f"a {name} of Transformers 5 would differ in its" in found.note

  def as_the_class(tokenizer):
    settings = types.SimpleNamespace(flag=lambda _, default: default)
    rebuilt.CLASSES[name](tokenizer, settings)

  assert _of_class(tmp_path / "same", name, as_the_class).note == ""


@pytest.mark.parity
@pytest.mark.parametrize("name", rebuilt.CLASSES)
def test_they_are_what_transformers_makes_of_a_file(tmp_path, name):
  import transformers

  place = tmp_path / "model"
  _of_class(place, name, _digits)
  theirs = getattr(transformers, name).from_pretrained(place)
  of_class = tokenizers.Tokenizer.from_file(str(place / "tokenizer.json"))
  settings = types.SimpleNamespace(flag=lambda _, default: default)
  rebuilt.CLASSES[name](of_class, settings)
  for line in own.PROBES:
    ids = of_class.encode(line, add_special_tokens=False).ids
    assert theirs.encode(line, add_special_tokens=False) == ids, line
    texts = [
      tokenizer.decode(ids, skip_special_tokens=False)
      for tokenizer in (theirs.backend_tokenizer, of_class)
    ]
    assert texts[0] == texts[1], line


@pytest.mark.parametrize("name", ["bert", "gpt2", "albert", "t5", "xlnet"])
def test_what_the_class_would_do_too_is_as_before(tmp_path, name):
  """Not a byte of it changes, so that runs on it go on."""
  kind, _ = _file(tmp_path / "model", name, lambda tokenizer: None)
  (tmp_path / "model" / "tokenizer.json").rename(tmp_path / "own.json")
  before = tokenizers_lib.read(tmp_path / "model", kind, {})
  (tmp_path / "own.json").rename(tmp_path / "model" / "tokenizer.json")
  after = tokenizers_lib.read(tmp_path / "model", kind, {})
  assert after.note == "" and after.specials == before.specials
  for line in own.PROBES[:40]:
    ids = [
      tokenizers.Tokenizer.from_str(x.content)
      .encode(line, add_special_tokens=False)
      .ids
      for x in (before, after)
    ]
    assert ids[0] == ids[1]


def test_a_class_with_another_kind_of_vocabulary(tmp_path):
  """LLaMA 3's tokenizer under the name of T5's, say."""
  kind, theirs = _file(tmp_path / "model", "gpt2", _digits)
  options = {"tokenizer_class": "T5Tokenizer", "eos_token": "<|endoftext|>"}
  path = tmp_path / "model" / "tokenizer_config.json"
  path.write_text(json.dumps(options))
  found = tokenizers_lib.read(tmp_path / "model", kind, {})
  mine = tokenizers.Tokenizer.from_str(found.content)
  expected = theirs.encode("in 2023").ids
  assert mine.encode("in 2023", add_special_tokens=False).ids == expected
  assert "T5Tokenizer" in found.note


def test_it_is_said_whenever_the_model_is_read(tmp_path, caplog):
  path = tmp_path / "model"
  foreign_directories.build("gpt2", path)
  _, _ = _file(tmp_path / "other", "gpt2", _digits)
  (tmp_path / "other" / "tokenizer.json").rename(path / "tokenizer.json")
  config = json.loads((path / "config.json").read_text())
  size = len(
    json.loads((path / "tokenizer.json").read_text())["model"]["vocab"]
  )
  config["vocab_size"] = size
  (path / "config.json").write_text(json.dumps(config))
  (path / "model.safetensors").unlink()
  foreign_directories.write_weights(path)
  for _ in range(2):
    caplog.clear()
    found = pretrained.read(str(path), cached=str(tmp_path / "cache"))
    assert "pre_tokenizer" in caplog.text
  ids = found.tokenizer.encode("2023")
  np.testing.assert_array_equal(
    [found.tokenizer.decode([i]) for i in ids], ["202", "3"]
  )
