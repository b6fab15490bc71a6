"""Directories with the tokenizer files of every family, made here.

A maker gives small vocabularies: `Handmade` the same ones for ever, which the
golden ids belong to, and `Trained` richer ones.
"""

from __future__ import annotations

import functools
import io
import json
import pathlib
import random
from typing import Any

SENTENCES = (
  "the quick brown fox jumps over the lazy dog",
  "a naïve café in Zürich serves crème brûlée, don't you know?",
  "language models learn the distribution of words in 2,048 tokens",
  "Привет мир и 世界 你好 with العربية שלום",
)
_MORE = (
  "résumé straße İstanbul γειά 日本語 テキスト 안녕하세요 हिन्दी ไทย "
  "½ ﬁne Ⅻ ％ ｆｕｌｌ ～ ﷺ ℃ "
  "they've “q” a.b,c;d 1,000,000 user@example.org http://a.b/c?d=e <b> [x] "
  "__init__ ## ▁ Ġ ’s 'll `` '' -- … —"
)
WORDS = [*" ".join(SENTENCES).split(), *_MORE.split()]
ODD = [
  *("e\u0301", "A\u030a", "o\u0308", "u\u0302\u0303", "か\u3099", "각"),
  *(
    "👩\u200d👩\u200d👧",
    "🏳️\u200d🌈",
    "👍🏽",
    "🇩🇪",
    "\x00",
    "\x07",
    "\x0b",
    "\x1b",
    "\x7f",
  ),
  *("\x85", "\xa0", "\xad", "\u200b", "\u200c", "\u200e", "\u200f", "\u202e"),
  *("\u2028", "\u2060", "\ufeff", "\ufffd", "\u3000", "\t", "\n", "\r\n"),
  *("  ", "    ", " \t ", "\ue000", "𝔘𝔫𝔦", "𠀀", "ẞ", "ﾊﾟ", "क\u093c", "Σς"),
]


def lines(count: int, seed: int) -> list[str]:
  """Texts with all that makes tokenizers differ, special tokens excepted."""
  draw = random.Random(seed)
  found = ["", " ", "  ", "\t", "\n", "a", " a", "a ", "  a  b  "]
  while len(found) < count:
    words = []
    for _ in range(draw.choice([0, 1, 2, 5, 12])):
      kind = draw.random()
      word = draw.choice(WORDS)
      if kind < 0.2:
        word = draw.choice(ODD)
      elif kind < 0.3:
        word += draw.choice(ODD) + draw.choice(WORDS)
      elif kind < 0.35:
        word = str(draw.randrange(10 ** draw.randrange(1, 12)))
      elif kind < 0.4:
        word = "".join(draw.choices("abcdefgABC", k=draw.choice([3, 30, 120])))
      elif kind < 0.45:
        word = word.upper()
      words.append(word)
    found.append(draw.choice([" ", " ", "", "  ", "\t"]).join(words))
  return found


class Handmade:
  """Vocabularies of letters, parts of words and words."""

  charsmap = b""

  def wordpiece(self, first: list[str]) -> list[str]:
    """The tokens of vocab.txt; `first` begins it."""
    letters = sorted(set("".join(SENTENCES)) - {" "})
    words = sorted({w for s in SENTENCES for w in s.lower().split()})
    parts = sorted({"##" + w[2:] for w in words if len(w) > 3})
    inner = ["##" + x for x in letters]
    return list(dict.fromkeys([*first, *letters, *inner, *words, *parts]))

  def bpe(
    self, first: list[str], end: str
  ) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Ids and merges; `end` ends words, "" is the byte level of GPT-2."""
    from tokenizers import pre_tokenizers

    level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokens, merges = [*first, *sorted(level.alphabet())], []
    for word in (w for s in SENTENCES for w in s.split(" ")):
      text = word.lower() if end else level.pre_tokenize_str(" " + word)[0][0]
      parts = [*text[:-1], text[-1] + end]
      tokens += parts
      for i in range(1, len(parts)):
        merges.append(("".join(parts[:i]), parts[i]))
        tokens.append("".join(parts[: i + 1]))
    ids = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    return ids, list(dict.fromkeys(merges))

  def pieces(self, merge: bool) -> list[tuple[str, float]]:
    """Normal pieces of sentencepiece and their scores."""
    letters = sorted(set("".join(SENTENCES)) - {" "} | {"▁"})
    words = dict.fromkeys("▁" + w for s in SENTENCES for w in s.split())
    parts = dict.fromkeys(w[:i] for w in words for i in range(2, len(w) + 1))
    order = [*(parts if merge else words), *letters]
    step = 1.0 if merge else 0.05
    return [(piece, -step * (i + 1)) for i, piece in enumerate(order)]


class Trained(Handmade):
  """Vocabularies that the libraries train on lines like those of the test."""

  def __init__(self) -> None:
    self.texts = [x for x in lines(1500, seed=9) if x and "\0" not in x]

  def wordpiece(self, first: list[str]) -> list[str]:
    import tokenizers
    from tokenizers import models, pre_tokenizers, trainers

    tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
      vocab_size=900,
      special_tokens=first,
      limit_alphabet=300,
      show_progress=False,
    )
    tokenizer.train_from_iterator(self.texts, trainer)
    ids = tokenizer.get_vocab()
    return sorted(ids, key=ids.__getitem__)

  def bpe(
    self, first: list[str], end: str
  ) -> tuple[dict[str, int], list[tuple[str, str]]]:
    import tokenizers
    from tokenizers import models, normalizers, pre_tokenizers, trainers

    model = models.BPE(end_of_word_suffix=end) if end else models.BPE()
    tokenizer = tokenizers.Tokenizer(model)
    level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if end:
      tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = (
      pre_tokenizers.BertPreTokenizer() if end else level
    )
    options: dict[str, Any] = {"end_of_word_suffix": end} if end else {}
    trainer = trainers.BpeTrainer(
      vocab_size=900,
      special_tokens=first,
      initial_alphabet=[] if end else level.alphabet(),
      show_progress=False,
      **options,
    )
    tokenizer.train_from_iterator(self.texts, trainer)
    content = json.loads(tokenizer.to_str())["model"]
    return content["vocab"], [tuple(pair) for pair in content["merges"]]

  @functools.cached_property
  def _models(self) -> dict[bool, Any]:
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2

    found = {}
    for merge in (False, True):
      file = io.BytesIO()
      sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(self.texts),
        model_writer=file,
        vocab_size=900,
        character_coverage=0.98,
        model_type="bpe" if merge else "unigram",
        minloglevel=2,
      )
      found[merge] = sentencepiece_model_pb2.ModelProto()
      found[merge].ParseFromString(file.getvalue())
    return found

  @property
  def charsmap(self) -> bytes:  # type: ignore[override]
    return self._models[False].normalizer_spec.precompiled_charsmap

  def pieces(self, merge: bool) -> list[tuple[str, float]]:
    return [(p.piece, p.score) for p in self._models[merge].pieces[3:]]


_UNKNOWN, _CONTROL, _USER, _BYTE = 2, 3, 4, 6
_FAIRSEQ = [("<unk>", _UNKNOWN), ("<s>", _CONTROL), ("</s>", _CONTROL)]
_T5 = [("<pad>", _CONTROL), ("</s>", _CONTROL), ("<unk>", _UNKNOWN)]
_BYTES = [(f"<0x{i:02X}>", _BYTE) for i in range(256)]
_POINTS = [(x, _USER) for x in (".", "(", ")", "-")]
_BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def model(
  maker: Handmade,
  first: list[tuple[str, int]],
  last: tuple[tuple[str, int], ...] = (),
  merge: bool = False,
) -> bytes:
  """A sentencepiece model: its own pieces first, normal ones, `last` ones."""
  from sentencepiece import sentencepiece_model_pb2

  proto = vars(sentencepiece_model_pb2)["ModelProto"]()
  taken = {text for text, _ in (*first, *last)}
  normal = [(t, s) for t, s in maker.pieces(merge) if t not in taken]
  for text, kind in first:
    proto.pieces.add(piece=text, score=0.0, type=kind)
  for text, score in normal:
    proto.pieces.add(piece=text, score=score, type=1)
  for text, kind in last:
    proto.pieces.add(piece=text, score=0.0, type=kind)
  proto.trainer_spec.model_type = 2 if merge else 1
  names = [text for text, _ in first]
  proto.trainer_spec.unk_id = names.index("<unk>")
  proto.trainer_spec.byte_fallback = _BYTES[0] in first
  for part, name in (("bos", "<s>"), ("eos", "</s>"), ("pad", "<pad>")):
    number = names.index(name) if name in names else -1
    setattr(proto.trainer_spec, f"{part}_id", number)
  if _BYTES[0] not in first:
    proto.normalizer_spec.name = "nmt_nfkc" if maker.charsmap else "identity"
    proto.normalizer_spec.precompiled_charsmap = maker.charsmap
  return proto.SerializeToString()


def _files(maker: Handmade, kind: str) -> dict[str, bytes]:
  """The vocabulary files of a kind of directory, by name."""
  if kind == "vocab.txt":
    return {kind: "".join(f"{x}\n" for x in maker.wordpiece(_BERT)).encode()}
  if kind in ("gpt", "gpt2", "roberta"):
    special = {"gpt": ["<unk>"], "gpt2": ["<|endoftext|>"]}.get(kind, _ROBERTA)
    ids, merges = maker.bpe(special, "</w>" if kind == "gpt" else "")
    text = "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges)
    return {"vocab.json": json.dumps(ids).encode(), "merges.txt": text.encode()}
  if kind == "t5":
    return {"spiece.model": model(maker, _T5)}
  if kind == "mt5":
    own = tuple((f"▁<extra_id_{i}>", _USER) for i in range(99, -1, -1))
    return {"spiece.model": model(maker, _T5, own)}
  if kind == "albert":
    names = ("[CLS]", "[SEP]", "[MASK]")
    own = [("<pad>", _CONTROL), ("<unk>", _UNKNOWN)]
    own += [(name, _CONTROL) for name in names]
    return {"spiece.model": model(maker, own + _POINTS)}
  if kind == "xlnet":
    names = ("<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>")
    own = [(name, _CONTROL) for name in names]
    return {"spiece.model": model(maker, _FAIRSEQ + own + _POINTS)}
  if kind == "llama":
    return {"tokenizer.model": model(maker, _FAIRSEQ + _BYTES, merge=True)}
  content = model(maker, _FAIRSEQ, merge=kind == "m2m")
  files = {"sentencepiece.bpe.model": content}
  if kind == "m2m":
    tokens = [*_ROBERTA[:4], *(piece for piece, _ in maker.pieces(True))]
    ids = {token: i for i, token in enumerate(tokens)}
    files["vocab.json"] = json.dumps(ids).encode()
  return files


def _class(name: str, **options: Any) -> dict[str, Any]:
  return {"tokenizer_class": name, **options}


# By name: the model type, the kind of files, and tokenizer_config.json.
DIRECTORIES: dict[str, tuple[str, str, dict[str, Any] | None]] = {
  "openai-gpt": ("openai-gpt", "gpt", None),
  "gpt2": ("gpt2", "gpt2", None),
  "gpt_neo": (
    "gpt_neo",
    "gpt2",
    _class("GPT2Tokenizer", add_prefix_space=True),
  ),
  "llama": (
    "llama",
    "llama",
    _class("LlamaTokenizer", add_bos_token=True, legacy=True),
  ),
  "llama-new": (
    "llama",
    "llama",
    _class("LlamaTokenizerFast", add_bos_token=True, legacy=False),
  ),
  "llama-bare": ("llama", "llama", None),
  "bert": ("bert", "vocab.txt", None),
  "bert-cased": ("bert", "vocab.txt", {"do_lower_case": False}),
  "bert-accents": (
    "bert",
    "vocab.txt",
    _class("BertTokenizer", strip_accents=False, tokenize_chinese_chars=False),
  ),
  "distilbert": ("distilbert", "vocab.txt", _class("DistilBertTokenizer")),
  "electra": ("electra", "vocab.txt", _class("ElectraTokenizerFast")),
  "roberta": ("roberta", "roberta", None),
  "bart": ("bart", "roberta", _class("BartTokenizer")),
  "xlm-roberta": ("xlm-roberta", "xlm-roberta", None),
  "albert": ("albert", "albert", None),
  "xlnet": ("xlnet", "xlnet", None),
  "t5": ("t5", "t5", None),
  "mt5": ("mt5", "mt5", _class("T5Tokenizer", extra_ids=0)),
  "mbart": ("mbart", "mbart", _class("MBartTokenizer", src_lang="fr_XX")),
  "mbart50": ("mbart", "mbart", _class("MBart50Tokenizer", src_lang="de_DE")),
  "m2m_100": ("m2m_100", "m2m", _class("M2M100Tokenizer", src_lang="fr")),
}


def build(maker: Handmade, name: str, directory: pathlib.Path) -> str:
  """Writes one of DIRECTORIES; returns its model type."""
  model_type, kind, options = DIRECTORIES[name]
  directory.mkdir(parents=True)
  for file, content in _files(maker, kind).items():
    (directory / file).write_bytes(content)
  config = {"model_type": model_type}
  (directory / "config.json").write_text(json.dumps(config))
  if options is not None:
    (directory / "tokenizer_config.json").write_text(json.dumps(options))
  return model_type
