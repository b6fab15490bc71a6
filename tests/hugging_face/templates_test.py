"""Exported tokenizers read one text and two as their family does."""

import dataclasses
import json

import numpy as np
import pytest
import tokenizers
from template_layouts import FAMILIES, READ, SPECIALS, TYPES, content, written

from lm_jax.data import vocabulary
from lm_jax.families import _template
from lm_jax.hugging_face import tokenizers as tokenizers_lib
from lm_jax.types import ABSENT


@pytest.fixture(scope="module")
def characters():
  return content("characters")


def read(encoding):
  return " ".join(encoding.tokens), "".join(map(str, encoding.type_ids))


@pytest.mark.parametrize("family", FAMILIES)
def test_one_text_and_two_are_those_of_the_family(tmp_path, family, characters):
  tokenizer, config = written(tmp_path, family, characters)
  single, pair, types, pair_types = READ[family]
  assert read(tokenizer.encode("a")) == (single, types)
  assert read(tokenizer.encode("a", "b")) == (pair, pair_types)
  inputs = config["model_input_names"]
  assert ("token_type_ids" in inputs) == (family in TYPES)
  left = family in ("xlnet", "llama")
  assert config["padding_side"] == ("left" if left else "right")
  # All that is told of special tokens is there, and special.
  added = tokenizer.get_added_tokens_decoder()
  special = {x.content for x in added.values() if x.special}
  named = [x for k, x in config.items() if k.endswith("_token")]
  assert named and set(named) <= special


def test_berts_tokens_have_berts_names(tmp_path, characters):
  tokenizer, config = written(tmp_path, "bert", characters)
  assert {k: x for k, x in config.items() if k.endswith("_token")} == {
    f"{part}_token": f"[{part.upper()}]"
    for part in ("cls", "sep", "pad", "mask", "unk")
  }
  ids = [tokenizer.token_to_id(f"[{x}]") for x in ("PAD", "UNK", "CLS", "SEP")]
  assert ids == [0, 1, 2, 4] and tokenizer.token_to_id("[BOS]") is None


@pytest.mark.parametrize("kind", vocabulary.KINDS)
@pytest.mark.parametrize("family", ["bert", "t5"])
def test_a_text_keeps_its_ids(tmp_path, kind, family):
  """Whatever the kind of vocabulary, and special tokens their ids."""
  text = content(kind)
  plain = tokenizers.Tokenizer.from_str(text)
  tokenizer, _ = written(tmp_path, family, text)
  words = "the law, and a b and é"
  ids = plain.encode(words, add_special_tokens=False).ids
  assert tokenizer.encode(words, add_special_tokens=False).ids == ids
  assert tokenizer.get_vocab_size() == plain.get_vocab_size()
  # An unknown character is that still, by its new name.
  odd = tokenizer.encode("日", add_special_tokens=False).ids
  assert odd == plain.encode("日", add_special_tokens=False).ids


def test_sentinels_are_special_only_where_they_are_needed(tmp_path, characters):
  t5, config = written(tmp_path / "t5", "t5", characters)
  names = [f"<extra_id_{i}>" for i in range(3)]
  assert config["additional_special_tokens"] == names
  assert [t5.token_to_id(name) for name in names] == [9, 10, 11]
  found = t5.encode("a<extra_id_1>b", add_special_tokens=False).ids
  assert found[1] == 10
  # A decoder that was trained by span corruption has them by our names.
  gpt2, config = written(tmp_path / "gpt2", "gpt2", characters)
  assert gpt2.token_to_id("[SENTINEL_2]") == 11
  bert, config = written(tmp_path / "bert", "bert", characters, sentinels=False)
  assert "additional_special_tokens" not in config
  assert not {9, 10, 11} & bert.get_added_tokens_decoder().keys()
  assert [bert.id_to_token(i) for i in (9, 11)] == ["[unused0]", "[unused2]"]
  assert bert.get_vocab_size() == gpt2.get_vocab_size()


def test_a_token_of_a_text_keeps_its_name(tmp_path, characters):
  """Somebody's vocabulary that was adopted may have a "</s>"."""
  held = json.loads(characters)
  found = held["model"]["vocab"]["</s>"] = len(held["model"]["vocab"])
  tokenizer, config = written(tmp_path, "roberta", json.dumps(held))
  assert config["eos_token"] == "[EOS]"
  assert tokenizer.token_to_id("</s>") == found
  assert tokenizer.encode("a").ids[-1] == SPECIALS.end


def test_what_was_fine_tuned_is_read_as_it_was(tmp_path, characters):
  template = tokenizers_lib.as_trained(_template.BERT)
  tokenizers_lib.write(
    tmp_path, characters, SPECIALS, 77, template, (SPECIALS.separator,)
  )
  tokenizer = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
  assert read(tokenizer.encode("a")) == ("[CLS] a", "00")
  assert read(tokenizer.encode("a", "b")) == ("[CLS] a [SEP] b", "00" + "01")


def test_a_tokenizer_without_a_part(tmp_path):
  """Somebody's, with names of its own and languages."""
  words = {"<pad>": 0, "</s>": 1, "<unk>": 2, "fr": 3, "a": 4, "b": 5}
  model = tokenizers.models.WordLevel(words, "<unk>")
  plain = tokenizers.Tokenizer(model)
  plain.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
  plain.add_special_tokens(["<pad>", "</s>", "<unk>", "fr"])
  specials = dataclasses.replace(
    SPECIALS,
    **{"pad": 0, "end": 1, "unknown": 2, "separator": ABSENT, "mask": ABSENT},
    **{"boundary": ABSENT, "sentinels": 0, "first_sentinel": ABSENT},
    **{"before": (), "after": (1, 3)},
  )
  mbart, _ = written(tmp_path / "m", "mbart", plain.to_str(), specials)
  assert mbart.encode("a", "b").tokens == ["a", "b", "</s>", "fr"]
  bert, config = written(tmp_path / "b", "bert", plain.to_str(), specials)
  assert bert.encode("a", "b").tokens == ["a", "</s>", "b", "</s>"]
  assert config["sep_token"] == "</s>" and "cls_token" not in config


@pytest.mark.parametrize("family", FAMILIES)
def test_what_was_written_is_read_here_as_it_says(tmp_path, family, characters):
  """`import` of an export has the ids of its own tokenizer.json."""
  tokenizer, _ = written(tmp_path, family, characters)
  kind = FAMILIES[family].model_types[0]
  found = tokenizers_lib.read(tmp_path, kind, {"model_type": kind})
  again = tokenizers.Tokenizer.from_str(found.content)
  ids = again.encode("the law", add_special_tokens=False).ids
  whole = [*found.specials.before, *ids, *found.specials.after]
  assert whole == tokenizer.encode("the law").ids
  for name, part in FAMILIES[family].template.tokens.items():
    mine = getattr(found.specials, part)
    if part not in ("end", "separator", "unknown"):
      assert mine == getattr(SPECIALS, part), name
  if family in ("t5", "mt5"):
    np.testing.assert_array_equal(found.specials.first_sentinel, 9)
    assert found.specials.sentinels == 3
