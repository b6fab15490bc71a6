"""Tokenizer classes of Transformers: what each makes of a vocabulary.

A Kind knows the files, the pipeline and the special tokens of one class.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from lm_jax.hugging_face.tokenizers import languages, pipelines
from lm_jax.hugging_face.tokenizers.pieces import Pieces
from lm_jax.hugging_face.tokenizers.pipelines import SPACE, Scores, Source
from lm_jax.hugging_face.tokenizers.settings import CONFIG, Settings, str_of
from lm_jax.support.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Kind:
  """A class of Transformers.

  model: of the `tokenizers` library: "WordPiece", "BPE" or "Unigram".
  files: what is read where there is no tokenizer.json.
  names: the special tokens by part, where the directory does not tell.
  build: source and settings -> a tokenizer without added tokens.
  before, after: the parts around a text; "language" is the source language.
  scores: sentencepiece's pieces -> the vocabulary of the class.
  extra: what the directory tells -> further special tokens.
  languages: their tokens.
  mask_strips: does the mask take the space before it along?
  """

  model: str
  files: tuple[str, ...]
  names: dict[str, str]
  build: Callable[[Source, Settings], Any]
  before: tuple[str, ...] = ()
  after: tuple[str, ...] = ()
  scores: Callable[[Pieces, Settings], Scores] = lambda p, _: p.vocabulary
  extra: Callable[[list[Any] | None, Settings], list[Any]] = lambda given, _: (
    given or []
  )
  languages: tuple[str, ...] = ()
  mask_strips: bool = False


def _fairseq_scores(*languages: str) -> Callable[[Pieces, Settings], Scores]:
  """fairseq's order: its own four tokens, pieces from the third on, a mask."""

  def scores(pieces: Pieces, settings: Settings) -> Scores:
    first = (
      settings.content(part, _ROBERTA_NAMES[part])
      for part in ("bos", "pad", "eos", "unk")
    )
    last = [*languages, settings.content("mask", "<mask>")]
    return [
      *((token, 0.0) for token in first),
      *pieces.vocabulary[3:],
      *((token, 0.0) for token in last),
    ]

  return scores


def _sentinels(settings: Settings) -> list[str]:
  count = settings.flag("extra_ids", 100)
  if not isinstance(count, int) or count < 0:
    path = settings.directory / CONFIG
    raise UsageError(f"{path}: extra_ids is {count!r}, not a number of tokens")
  return [f"<extra_id_{i}>" for i in range(count)]


def _t5_scores(pieces: Pieces, settings: Settings) -> Scores:
  """The pieces, then the sentinels, the first one last.

  A model that has sentinels of its own gets no others where the embedding has
  no rows for them.
  """
  had = {token for token, _ in pieces.vocabulary}
  more = [token for token in _sentinels(settings) if token not in had]
  rows = settings.config.get("vocab_size", 2**31)
  if f"{SPACE}<extra_id_0>" in had and len(had) + len(more) > rows:
    more = []
  return [*pieces.vocabulary, *((token, 0.0) for token in reversed(more))]


def _t5_extra(given: list[Any] | None, settings: Settings) -> list[Any]:
  told = given or []
  if any("<extra_id_" in str_of(token) for token in told):
    return told
  return [*told, *_sentinels(settings)]


def _language_extra(*languages: str, first: bool) -> Any:
  def extra(given: list[Any] | None, _: Settings) -> list[Any]:
    told = [token for token in given or [] if str_of(token) not in languages]
    return [*languages, *told] if first else [*told, *languages]

  return extra


def _xlnet_extra(given: list[Any] | None, _: Settings) -> list[Any]:
  return ["<eop>", "<eod>"] if given is None else given


_BERT_NAMES = {
  part: f"[{part.upper()}]" for part in ("unk", "sep", "pad", "cls", "mask")
}
_ROBERTA_NAMES = {
  "bos": "<s>",
  "eos": "</s>",
  "unk": "<unk>",
  "sep": "</s>",
  "pad": "<pad>",
  "cls": "<s>",
  "mask": "<mask>",
}
_BYTE_FILES = ("vocab.json", "merges.txt")
_FAIRSEQ_FILES = ("sentencepiece.bpe.model", "tokenizer.model")
_PIECE_FILES = ("spiece.model", "tokenizer.model")

_BERT = Kind(
  model="WordPiece",
  files=("vocab.txt",),
  names=_BERT_NAMES,
  build=pipelines.bert,
  before=("cls",),
  after=("sep",),
)
_ROBERTA = Kind(
  model="BPE",
  files=_BYTE_FILES,
  names=_ROBERTA_NAMES,
  build=pipelines.byte_level,
  before=("cls",),
  after=("sep",),
)
_T5 = Kind(
  model="Unigram",
  files=_PIECE_FILES,
  names={"eos": "</s>", "unk": "<unk>", "pad": "<pad>"},
  build=pipelines.t5,
  after=("eos",),
  scores=_t5_scores,
  extra=_t5_extra,
)

# By the name of the class, which tokenizer_config.json tells.
KINDS = {
  "BertTokenizer": _BERT,
  "DistilBertTokenizer": _BERT,
  "ElectraTokenizer": _BERT,
  "RobertaTokenizer": _ROBERTA,
  "BartTokenizer": _ROBERTA,
  "GPT2Tokenizer": Kind(
    model="BPE",
    files=_BYTE_FILES,
    names=dict.fromkeys(("bos", "eos", "unk"), "<|endoftext|>"),
    build=pipelines.byte_level,
    before=("bos",),
  ),
  "OpenAIGPTTokenizer": Kind(
    model="BPE",
    files=_BYTE_FILES,
    names={"unk": "<unk>"},
    build=pipelines.gpt,
    before=("bos",),
  ),
  "LlamaTokenizer": Kind(
    model="BPE",
    files=("tokenizer.model",),
    names={"bos": "<s>", "eos": "</s>", "unk": "<unk>"},
    build=pipelines.llama,
    before=("bos",),
  ),
  "XLMRobertaTokenizer": Kind(
    model="Unigram",
    files=_FAIRSEQ_FILES,
    names=_ROBERTA_NAMES,
    build=pipelines.xlm_roberta,
    before=("bos",),
    after=("eos",),
    scores=_fairseq_scores(),
  ),
  "AlbertTokenizer": Kind(
    model="Unigram",
    files=_PIECE_FILES,
    names={
      **_BERT_NAMES,
      "bos": "[CLS]",
      "eos": "[SEP]",
      "unk": "<unk>",
      "pad": "<pad>",
    },
    build=pipelines.albert,
    before=("cls",),
    after=("sep",),
  ),
  "XLNetTokenizer": Kind(
    model="Unigram",
    files=_PIECE_FILES,
    names={**_ROBERTA_NAMES, "sep": "<sep>", "cls": "<cls>"},
    build=pipelines.xlnet,
    after=("sep", "cls"),
    extra=_xlnet_extra,
    mask_strips=True,
  ),
  "T5Tokenizer": _T5,
  "MT5Tokenizer": _T5,
  "MBartTokenizer": Kind(
    model="Unigram",
    files=_FAIRSEQ_FILES,
    names=_ROBERTA_NAMES,
    build=pipelines.mbart,
    after=("eos", "language"),
    scores=_fairseq_scores(*languages.MBART),
    extra=_language_extra(*languages.MBART, first=True),
    languages=languages.MBART,
    mask_strips=True,
  ),
  "MBart50Tokenizer": Kind(
    model="Unigram",
    files=_FAIRSEQ_FILES,
    names={k: v for k, v in _ROBERTA_NAMES.items() if k != "bos"},
    build=pipelines.mbart50,
    before=("language",),
    after=("eos",),
    scores=_fairseq_scores(*languages.MBART50),
    extra=_language_extra(*languages.MBART50, first=False),
    languages=languages.MBART50,
    mask_strips=True,
  ),
}

# The class of a family, where the directory tells none.
OF_MODEL = {
  "openai-gpt": "OpenAIGPTTokenizer",
  "gpt2": "GPT2Tokenizer",
  "gpt_neo": "GPT2Tokenizer",
  "bert": "BertTokenizer",
  "distilbert": "BertTokenizer",
  "electra": "BertTokenizer",
  "roberta": "RobertaTokenizer",
  "bart": "RobertaTokenizer",
  "xlm-roberta": "XLMRobertaTokenizer",
  "albert": "AlbertTokenizer",
  "xlnet": "XLNetTokenizer",
  "t5": "T5Tokenizer",
  "mt5": "T5Tokenizer",
  "mbart": "MBartTokenizer",
  "m2m_100": "M2M100Tokenizer",
}
