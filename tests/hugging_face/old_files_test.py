"""Files as they were written in 2019, and vocabularies with odd lines."""

import json

import foreign_directories
import foreign_model
import numpy as np
import pytest
import tokenizers

import lm_jax
from lm_jax.apps.chat import template
from lm_jax.commands import export as export_lib
from lm_jax.hugging_face import importing, pretrained
from lm_jax.hugging_face import read as read_lib
from lm_jax.hugging_face import tokenizers as tokenizers_lib
from lm_jax.hugging_face.tokenizers import files
from lm_jax.support.errors import UsageError

KINDS = foreign_model.CONFIGS


def without(directory, *names):
  """Takes fields out of config.json."""
  path = directory / "config.json"
  values = json.loads(path.read_text())
  for name in names:
    del values[name]
  path.write_text(json.dumps(values))


@pytest.mark.parametrize("name", KINDS)
def test_the_class_tells_the_family(tmp_path, name):
  foreign_model.build(tmp_path, name)
  without(tmp_path, "model_type")
  assert read_lib.fields_of(tmp_path).values["model_type"] == name


@pytest.mark.parametrize("name", KINDS)
def test_the_tensors_tell_it(tmp_path, name):
  """What Google's bert_config.json says, and how tensors are called."""
  foreign_model.build(tmp_path / "a", name)
  ids = np.arange(12).reshape(2, 6)
  given = {"decoder_input_ids": ids} if name == "bart" else {}
  before = lm_jax.load(tmp_path / "a").logits(ids, **given)
  without(tmp_path / "a", "model_type", "architectures")
  found = lm_jax.load(tmp_path / "a")
  np.testing.assert_array_equal(found.logits(ids, **given), before)


def test_a_run_on_it_is_exported_as_it_was(tmp_path):
  theirs, run = tmp_path / "theirs", tmp_path / "run"
  foreign_directories.build("bert", theirs)
  without(theirs, "model_type", "architectures")
  importing.run(str(theirs), str(run), cached=str(tmp_path / "cache"))
  assert template.variables(str(run), None)["cls_token"] == "[CLS]"
  export_lib.main(export_lib.Flags(str(run), str(tmp_path / "to")))
  config = json.loads((tmp_path / "to" / "config.json").read_text())
  assert "model_type" not in config
  again = lm_jax.load(tmp_path / "to")
  np.testing.assert_array_equal(
    again.logits([[2, 9, 3]]), lm_jax.load(run).logits([[2, 9, 3]])
  )


def test_what_nothing_tells_is_refused_in_a_line(tmp_path):
  foreign_model.build(tmp_path, "bert")
  without(tmp_path, "model_type", "architectures")
  tensors = {"strange.weight": np.zeros((2, 2), np.float32)}
  foreign_model.write(tmp_path, tensors)
  with pytest.raises(UsageError, match="has no model_type, and neither") as e:
    pretrained.read(str(tmp_path))
  assert "bert" in str(e.value) and "\n" not in str(e.value)


def test_the_last_line_of_a_token_is_its_id(tmp_path, caplog):
  """As BertTokenizer of Transformers 5.24 reads it; it is said."""
  lines = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "\u2028"]
  lines += ["b", "a", "\u2028", "##c"]
  (tmp_path / "vocab.txt").write_text("\n".join(lines) + "\n", "utf-8")
  found = tokenizers_lib.read(tmp_path, "bert", {})
  tokenizer = tokenizers.Tokenizer.from_str(found.content)
  assert tokenizer.encode("b a ac", add_special_tokens=False).ids == [
    7, 8, 8, 10
  ]  # fmt: skip
  assert tokenizer.token_to_id("\u2028") == 9
  assert found.size == len(lines)
  [told] = {x.getMessage() for x in caplog.records}
  assert "later line, too: 2 (line 6: 'a')" in told


def test_ids_are_the_numbers_of_lines(tmp_path):
  """Two blank lines, and tokens that are white space."""
  lines = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "", "\u2028"]
  lines += ["b", "\u3000", "", "##c", "\x85d"]
  (tmp_path / "vocab.txt").write_text("\n".join(lines) + "\n", "utf-8")
  found = tokenizers_lib.read(tmp_path, "bert", {})
  tokenizer = tokenizers.Tokenizer.from_str(found.content)
  for number, line in enumerate(lines):
    if line:
      assert tokenizer.token_to_id(line) == number
  assert found.size == len(lines)
  ids = tokenizer.encode("a b ac", add_special_tokens=False).ids
  assert ids == [5, 8, 5, 11]
  assert tokenizer.encode(" \u3000 ", add_special_tokens=False).ids == []
  # Lines of another system end otherwise.
  (tmp_path / "vocab.txt").write_bytes("\r\n".join(lines).encode())
  assert files.word_list(tmp_path / "vocab.txt")["b"] == 8
