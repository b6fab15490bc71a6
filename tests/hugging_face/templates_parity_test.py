"""Layouts of texts and pairs beside Transformers' own classes."""

import json

import pytest
import template_layouts as here

transformers = pytest.importorskip("transformers")

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b"]
FAIRSEQ = ["<s>", "<pad>", "</s>", "<unk>", "a", "b", "<mask>"]


def _ids(tokens):
  return {token: i for i, token in enumerate(tokens)}


def _scores(*first):
  return [(x, 0.0) for x in first] + [("▁a", -1.0), ("▁b", -1.0), ("▁", -2.0)]


def _bert(name):
  return getattr(transformers, name)(vocab=_ids(BERT))


def _roberta(name):
  return getattr(transformers, name)(vocab=_ids(FAIRSEQ), merges=[])


def _gpt2():
  # Its own name for both ends, which are two tokens of ours.
  vocab = _ids(["<unk>", "[BOS]", "[EOS]", "a", "b"])
  return transformers.GPT2Tokenizer(
    vocab=vocab, merges=[], add_bos_token=True, bos_token="[BOS]",
    eos_token="[EOS]", unk_token="<unk>",
  )  # fmt: skip


# The classes that AutoTokenizer takes for each family.
CLASSES = {
  "albert": lambda: transformers.AlbertTokenizer(
    vocab=_scores("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")
  ),
  "bart": lambda: _roberta("BartTokenizer"),
  "bert": lambda: _bert("BertTokenizer"),
  "distilbert": lambda: _bert("DistilBertTokenizer"),
  "electra": lambda: _bert("ElectraTokenizer"),
  "gpt2": _gpt2,
  "gpt_neo": _gpt2,
  "llama": lambda: transformers.LlamaTokenizer(
    vocab=_ids(["<unk>", "<s>", "</s>", "▁", "a", "b", "▁a", "▁b"]),
    merges=[("▁", "a"), ("▁", "b")],
    add_bos_token=True,
  ),
  "mbart": lambda: transformers.MBartTokenizer(
    vocab=_scores("<s>", "<pad>", "</s>", "<unk>"), src_lang="en_XX"
  ),
  "mt5": lambda: transformers.T5Tokenizer(
    vocab=_scores("<pad>", "</s>", "<unk>")
  ),
  "roberta": lambda: _roberta("RobertaTokenizer"),
  "t5": lambda: transformers.T5Tokenizer(
    vocab=_scores("<pad>", "</s>", "<unk>")
  ),
  "xlm_roberta": lambda: transformers.XLMRobertaTokenizer(
    vocab=_scores("<s>", "<pad>", "</s>", "<unk>")
  ),
  "xlnet": lambda: transformers.XLNetTokenizer(
    vocab=_scores("<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>")
  ),
}


def layouts(tokenizer, *skipped):
  """Tokens and types of one text, and of two."""
  for texts in (("a",), ("a", "b")):
    found = tokenizer(*texts, return_token_type_ids=True)
    tokens = tokenizer.convert_ids_to_tokens(found["input_ids"])
    yield [
      (token.lstrip("▁"), kind)
      for token, kind in zip(tokens, found["token_type_ids"], strict=True)
      if token not in skipped
    ]


@pytest.mark.parametrize("family", CLASSES)
def test_layouts_are_those_of_the_familys_class(tmp_path, family):
  model_type = here.FAMILIES[family].model_types[0]
  here.written(tmp_path, family, here.content("characters"))
  config = {"model_type": model_type}
  (tmp_path / "config.json").write_text(json.dumps(config))
  ours = transformers.AutoTokenizer.from_pretrained(tmp_path)
  theirs = CLASSES[family]()
  # Runs of ours have no languages.
  assert list(layouts(ours)) == list(layouts(theirs, "en_XX"))
  _, pair, *_ = here.READ[family]
  assert " ".join(token for token, _ in list(layouts(ours))[1]) == pair
  assert ours.padding_side == theirs.padding_side
  types = "token_type_ids" in theirs.model_input_names
  # ALBERT and XLNet read types, which their classes drop in Transformers 5.
  if family not in ("albert", "xlnet"):
    assert ("token_type_ids" in ours("a", "b")) == types
  for name in ("cls", "sep", "pad", "mask", "unk"):
    named = getattr(theirs, f"{name}_token")
    if family.startswith("gpt") or named is None:
      continue
    if family == "llama" and name == "pad":
      continue
    assert getattr(ours, f"{name}_token") == named, name
