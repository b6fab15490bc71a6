"""Ids against those that Transformers gave (tokenizer_golden.json)."""

import io
import json
import pathlib
import shutil

import foreign_tokenizers as foreign
import pytest
import sentencepiece
import tokenizers

from lm_jax.data import train_tokenizer, vocabulary
from lm_jax.families import _template
from lm_jax.hugging_face import tokenizers as tokenizers_lib
from lm_jax.support.errors import UsageError
from lm_jax.types import ABSENT, Specials

GOLDEN = json.loads(
  pathlib.Path(__file__).with_name("tokenizer_golden.json").read_text()
)
CAUSAL = ("gpt2", "gpt_neo", "llama-bare")


def _read(name, directory, **config):
  model_type = foreign.build(foreign.Handmade(), name, directory)
  return tokenizers_lib.read(directory, model_type, config)


@pytest.mark.parametrize("name", foreign.DIRECTORIES)
def test_ids_are_those_of_transformers(name, tmp_path):
  found = _read(name, tmp_path / "model")
  tokenizer = tokenizers.Tokenizer.from_str(found.content)
  golden = GOLDEN["directories"][name]
  encoded = tokenizer.encode_batch(GOLDEN["texts"], add_special_tokens=False)
  assert [encoding.ids for encoding in encoded] == golden["plain"]
  before, after = found.specials.before, found.specials.after
  if name in CAUSAL:
    assert (before, after) == ((found.specials.boundary,), ())
  else:
    assert [*before, *golden["plain"][0], *after] == golden["around"]
  # What is special is never the id of a text, the unknown token excepted.
  text = {i for ids in golden["plain"] for i in ids}
  assert text & set(found.specials.ids) <= {found.specials.unknown}
  assert max(found.specials.ids, default=0) < found.size


@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
@pytest.mark.parametrize("extra", [True, False], ids=["squeezed", "as-it-is"])
@pytest.mark.parametrize("prefix", [True, False], ids=["prefix", "bare"])
def test_a_bare_model_reads_as_sentencepiece(
  algorithm, extra, prefix, tmp_path
):
  """By the model's own settings, with pieces that users defined."""
  file = io.BytesIO()
  sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(foreign.WORDS + foreign.lines(400, seed=1)),
    model_writer=file,
    vocab_size=700,
    model_type=algorithm,
    byte_fallback=True,
    remove_extra_whitespaces=extra,
    add_dummy_prefix=prefix,
    normalization_rule_name="identity",
    user_defined_symbols=["<own>", "brown fox"],
    hard_vocab_limit=False,
    minloglevel=2,
  )
  (tmp_path / "tokenizer.model").write_bytes(file.getvalue())
  (tmp_path / "config.json").write_text('{"model_type": "llama"}')
  found = tokenizers_lib.read(tmp_path, "llama", {})
  tokenizer = tokenizers.Tokenizer.from_str(found.content)
  theirs = sentencepiece.SentencePieceProcessor(model_proto=file.getvalue())
  own = ["a <own> b<own>", "<own>", "the quick brown fox"]
  for text in [*foreign.lines(300, seed=2), *own]:
    # sentencepiece's interface ends a text at NUL, and takes the sign itself
    # for a space at the end, where Transformers does not.
    if "\0" in text or text.endswith("▁"):
      continue
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert ids == theirs.encode(text), repr(text)


def test_special_tokens_of_each_family(tmp_path):
  bert = _read("bert", tmp_path / "bert").specials
  assert (bert.pad, bert.unknown, bert.mask) == (0, 1, 4)
  assert (bert.boundary, bert.end, bert.separator, bert.start) == (2, 3, 3, 2)
  assert (bert.before, bert.after, bert.sentinels) == ((2,), (3,), 0)
  assert bert.first_sentinel == bert.regular == ABSENT

  gpt2 = _read("gpt2", tmp_path / "gpt2").specials
  assert gpt2.boundary == gpt2.end == gpt2.pad == gpt2.before[0] == 0
  assert gpt2.unknown == gpt2.mask == ABSENT and gpt2.ids == (0,)

  gpt = _read("openai-gpt", tmp_path / "gpt").specials
  assert gpt.boundary == ABSENT and gpt.unknown == gpt.pad == 0
  assert gpt.before == ()

  bart = _read("bart", tmp_path / "bart").specials
  assert (bart.boundary, bart.end, bart.pad, bart.mask) == (0, 2, 1, 4)
  assert bart.start == 2 and bart.unknown == ABSENT and bart.others == (3,)

  xlnet = _read("xlnet", tmp_path / "xlnet").specials
  assert xlnet.after == (xlnet.end, xlnet.boundary) == (4, 3)


def test_sentinels_go_down_from_the_highest_id(tmp_path):
  t5 = _read("t5", tmp_path / "t5")
  assert t5.specials.first_sentinel == t5.size - 1
  assert (t5.specials.sentinels, t5.specials.sentinel_step) == (100, -1)
  assert t5.specials.boundary == t5.specials.start == t5.specials.pad == 0
  assert (t5.specials.before, t5.specials.after) == ((), (1,))
  tokenizer = tokenizers.Tokenizer.from_str(t5.content)
  assert tokenizer.token_to_id("<extra_id_99>") == t5.size - 100
  own = _read("mt5", tmp_path / "mt5")  # pieces of the model's own
  assert own.specials.first_sentinel == own.size - 1
  assert own.specials.sentinels == 100


def test_own_sentinels_are_taken_where_the_embedding_has_no_more_rows(tmp_path):
  directory = tmp_path / "model"
  foreign.build(foreign.Handmade(), "mt5", directory)
  (directory / "tokenizer_config.json").unlink()
  more = tokenizers_lib.read(directory, "t5", {})
  few = tokenizers_lib.read(directory, "t5", {"vocab_size": more.size - 1})
  assert few.size == few.specials.first_sentinel + 1 == more.size - 100


def test_languages(tmp_path):
  mbart = _read("mbart", tmp_path / "mbart")
  french = mbart.languages["fr_XX"]
  assert len(mbart.languages) == 25
  assert mbart.specials.after == (2, french)
  assert set(mbart.languages.values()) <= set(mbart.specials.ids)
  fifty = _read("mbart50", tmp_path / "mbart50", decoder_start_token_id=2)
  assert fifty.specials.before == (fifty.languages["de_DE"],)
  assert len(fifty.languages) == 52 and fifty.specials.start == 2
  many = _read("m2m_100", tmp_path / "m2m")
  assert len(many.languages) == 100 and many.specials.after == (2,)
  assert many.specials.before == (many.languages["fr"],)
  texts = len(json.loads((tmp_path / "m2m" / "vocab.json").read_text()))
  assert many.languages["af"] == texts and many.size == texts + 100


def test_tokenizer_json_without_a_class_is_used_as_it_is(tmp_path):
  kind = tokenizers.Tokenizer(
    tokenizers.models.WordLevel({"[CLS]": 0, "a": 1, "[SEP]": 2, "?": 3}, "?")
  )
  kind.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
  kind.enable_truncation(2)
  kind.enable_padding(length=9)
  kind.add_special_tokens(["[CLS]", "[SEP]"])
  kind.post_processor = tokenizers.processors.TemplateProcessing(
    single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 0), ("[SEP]", 2)]
  )
  kind.save(str(tmp_path / "tokenizer.json"))
  found = tokenizers_lib.read(tmp_path, "modernbert", {"pad_token_id": 3})
  again = tokenizers.Tokenizer.from_str(found.content)
  assert again.encode("a a b a a").ids == [1, 1, 3, 1, 1]
  assert (found.specials.before, found.specials.after) == ((0,), (2,))
  assert (found.specials.boundary, found.specials.end) == (0, 2)
  assert found.specials.pad == 3


def test_special_tokens_map_and_added_tokens(tmp_path):
  directory = tmp_path / "model"
  foreign.build(foreign.Handmade(), "bert", directory)
  size = len((directory / "vocab.txt").read_text().splitlines())
  names = {"mask_token": {"content": "[HIDE]", "lstrip": True}}
  (directory / "special_tokens_map.json").write_text(json.dumps(names))
  (directory / "added_tokens.json").write_text(
    json.dumps({"[HIDE]": size, "quickly": size + 1})
  )
  found = tokenizers_lib.read(directory, "bert", {})
  assert found.specials.mask == size and found.size == size + 2
  tokenizer = tokenizers.Tokenizer.from_str(found.content)
  ids = tokenizer.encode("the quickly [HIDE]", add_special_tokens=False).ids
  assert ids[1:] == [size + 1, size]


@pytest.mark.parametrize("kind", vocabulary.KINDS)
def test_written_tokenizer_reads_back(kind, tmp_path):
  specials = Specials(sentinels=3, after=(3,))
  content = train_tokenizer.train(kind, foreign.SENTENCES, 500, specials)
  template = tokenizers_lib.as_trained(_template.GPT2)
  tokenizers_lib.write(tmp_path, content, specials, 64, template)
  found = tokenizers_lib.read(tmp_path, "gpt2", {})
  assert (found.specials.before, found.specials.after) == ((2,), (3,))
  ours = tokenizers.Tokenizer.from_str(content)
  theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
  for text in foreign.SENTENCES:
    ids = ours.encode(text, add_special_tokens=False).ids
    assert theirs.encode(text).ids == [2, *ids, 3]
  config = json.loads((tmp_path / "tokenizer_config.json").read_text())
  assert config["mask_token"] == "[MASK]" and config["model_max_length"] == 64


@pytest.mark.parametrize(
  ("name", "file", "content", "message"),
  [
    ("bert", "vocab.txt", None, "looked for tokenizer.json, vocab.txt"),
    ("gpt2", "merges.txt", None, "vocab.json with merges.txt"),
    ("bert", "vocab.txt", b"\xff\n", "vocab.txt: not UTF-8"),
    ("gpt2", "vocab.json", b'{"a": 0, "b": 2}', "no token has id 1"),
    ("gpt2", "vocab.json", b'{"a": 0, "b": 0}', "id 0 is that of 'a' and"),
    ("gpt2", "vocab.json", b'{"a": "0"}', "the id of 'a' is '0'"),
    ("gpt2", "vocab.json", b'{"a": 0', "vocab.json: not JSON"),
    ("gpt2", "merges.txt", b"a q\nzz y\n", "needs 'aq', which the vocabulary"),
    ("gpt2", "merges.txt", b"a b c\n", "line 1 is 'a b c', not two tokens"),
    ("t5", "spiece.model", b"\x0a\x05ab", "not a sentencepiece model"),
    ("t5", "spiece.model", b"", "without pieces"),
    ("t5", "spiece.model", None, "looked for tokenizer.json, spiece.model"),
    ("m2m_100", "vocab.json", b'{"a": 0}', "lacks the unknown token '<unk>'"),
    ("bert", "tokenizer.json", b"{}", "tokenizer.json: not a tokenizer"),
    ("bert", "tokenizer_config.json", b"[]", "[]: must be an object"),
    (
      "bert",
      "tokenizer_config.json",
      b'{"tokenizer_class": "BertJapaneseTokenizer"}',
      "its tokenizer is a BertJapaneseTokenizer",
    ),
    ("t5", "tokenizer_config.json", b'{"extra_ids": "a"}', "extra_ids is 'a'"),
    ("m2m_100", "tokenizer_config.json", b'{"src_lang": "xx"}', "is 'xx'"),
    (
      "bert",
      "tokenizer_config.json",
      b'{"do_lower_case": "perhaps"}',
      "vocab.txt: not a tokenizer that can be read",
    ),
  ],
)
def test_bad_files_are_refused_in_one_line(
  name, file, content, message, tmp_path
):
  directory = tmp_path / "model"
  model_type = foreign.build(foreign.Handmade(), name, directory)
  if content is None:
    (directory / file).unlink()
  else:
    (directory / file).write_bytes(content)
  with pytest.raises(UsageError) as caught:
    tokenizers_lib.read(directory, model_type, {})
  assert message in str(caught.value) and "\n" not in str(caught.value)
  assert str(directory) in str(caught.value)


def test_vocabulary_larger_than_the_embedding(tmp_path):
  found = _read("bert", tmp_path / "model")
  tokenizers_lib.check_size(found, found.size, tmp_path)
  with pytest.raises(UsageError, match=rf"{found.size} tokens, but the emb"):
    tokenizers_lib.check_size(found, found.size - 1, tmp_path)


def test_no_code_of_a_directory_is_run(tmp_path):
  directory = tmp_path / "model"
  model_type = foreign.build(foreign.Handmade(), "bert", directory)
  options = {"auto_map": {"AutoTokenizer": ["evil.Evil", None]}}
  (directory / "tokenizer_config.json").write_text(json.dumps(options))
  (directory / "evil.py").write_text("raise SystemExit('run')\n")
  plain = shutil.copytree(directory, tmp_path / "plain")
  (plain / "tokenizer_config.json").unlink()
  found = tokenizers_lib.read(directory, model_type, {})
  assert found == tokenizers_lib.read(plain, model_type, {})


@pytest.mark.parametrize("name", ["bert", "gpt2", "t5", "llama-bare"])
def test_no_file_is_opened_that_another_one_names(name, tmp_path):
  """Transformers 5.24 takes a vocab_file of special_tokens_map.json."""
  directory, secret = tmp_path / "model", tmp_path / "secret"
  model_type = foreign.build(foreign.Handmade(), name, directory)
  plain = tokenizers_lib.read(directory, model_type, {})
  secret.write_text("[PAD]\n[UNK]\nsecret\n")
  path = directory / "tokenizer_config.json"
  options = json.loads(path.read_text()) if path.is_file() else {}
  other = dict.fromkeys(("vocab_file", "tokenizer_file"), str(secret))
  path.write_text(json.dumps(options | other))
  (directory / "special_tokens_map.json").write_text(json.dumps(other))
  assert tokenizers_lib.read(directory, model_type, {}) == plain
