"""Builds the pipelines of Transformers' classes around a vocabulary.

The pipelines are those of Transformers 5, whose classes take no more of a
tokenizer.json than vocabulary, merges and compiled normalization; see own.py.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from lm_jax.hugging_face.tokenizers.settings import Settings

Scores = list[tuple[str, float]]
SPACE = "▁"  # stands for a space in the pieces of sentencepiece


@dataclasses.dataclass(frozen=True)
class Source:
  """A vocabulary, wherever it comes from.

  ids: by token, of WordPiece and byte pair encoding.
  scores: tokens and their log-probabilities by id, of Unigram.
  merges: of byte pair encoding, the first first.
  charsmap: sentencepiece's compiled normalization.
  unknown: id of the unknown piece.
  added: the tokens that a sentencepiece model sets apart; None for others.
  """

  ids: dict[str, int] = dataclasses.field(default_factory=dict)
  scores: Scores = dataclasses.field(default_factory=list)
  merges: list[tuple[str, str]] = dataclasses.field(default_factory=list)
  charsmap: bytes | None = None
  unknown: int = 0
  added: list[Any] | None = None


def _assemble(
  model: Any, normalizer: Any, pre_tokenizer: Any, decoder: Any
) -> Any:
  import tokenizers

  tokenizer = tokenizers.Tokenizer(model)
  tokenizer.normalizer = normalizer
  tokenizer.pre_tokenizer = pre_tokenizer
  tokenizer.decoder = decoder
  return tokenizer


def bert(source: Source, settings: Settings) -> Any:
  from tokenizers import decoders, models, normalizers, pre_tokenizers

  return _assemble(
    models.WordPiece(source.ids, unk_token=settings.content("unk", "[UNK]")),
    normalizers.BertNormalizer(
      clean_text=True,
      handle_chinese_chars=settings.flag("tokenize_chinese_chars", True),
      strip_accents=settings.flag("strip_accents", None),
      lowercase=settings.flag("do_lower_case", True),
    ),
    pre_tokenizers.BertPreTokenizer(),
    decoders.WordPiece(prefix="##"),
  )


def _bpe(source: Source, **options: Any) -> Any:
  from tokenizers import models

  return models.BPE(vocab=source.ids, merges=source.merges, **options)


def gpt(source: Source, settings: Settings) -> Any:
  from tokenizers import decoders, normalizers, pre_tokenizers

  return _assemble(
    _bpe(
      source,
      continuing_subword_prefix="",
      end_of_word_suffix="</w>",
      unk_token=settings.content("unk", "<unk>"),
    ),
    normalizers.BertNormalizer(lowercase=True),
    pre_tokenizers.BertPreTokenizer(),
    decoders.BPEDecoder(suffix="</w>"),
  )


def byte_level(source: Source, settings: Settings) -> Any:
  from tokenizers import decoders, pre_tokenizers

  space = settings.flag("add_prefix_space", False)
  return _assemble(
    _bpe(source, continuing_subword_prefix="", end_of_word_suffix=""),
    None,
    pre_tokenizers.ByteLevel(add_prefix_space=space),
    decoders.ByteLevel(),
  )


def llama(source: Source, settings: Settings) -> Any:
  # "legacy" puts a space behind special tokens in a text, too.
  scheme = "always" if settings.flag("legacy", False) else "first"
  prefix = settings.flag("add_prefix_space", None) in (True, None)
  return _assemble(
    _bpe(source, fuse_unk=True, byte_fallback=True),
    None,
    metaspace(scheme if prefix else "never"),
    byte_fallback(strip=prefix),
  )


def metaspace(scheme: str) -> Any:
  """A pre-tokenizer that marks spaces and leaves a text whole."""
  from tokenizers import pre_tokenizers

  return pre_tokenizers.Metaspace(
    replacement=SPACE, prepend_scheme=scheme, split=False
  )


def byte_fallback(strip: bool) -> Any:
  """A decoder of pieces and bytes; `strip` takes a space off the start."""
  from tokenizers import decoders

  steps = [decoders.Replace(SPACE, " "), decoders.ByteFallback()]
  steps.append(decoders.Fuse())
  if strip:
    steps.append(decoders.Strip(content=" ", left=1))
  return decoders.Sequence(steps)


def _unigram(
  source: Source,
  unknown: int,
  steps: list[Any],
  prefix: bool = True,
  words: bool = True,
) -> Any:
  """Sentencepiece as Transformers rebuilds it.

  steps: of the normalizer. prefix: does each word start with a space? words:
  are white spaces of any kind and number one border of words?
  """
  from tokenizers import decoders, models, normalizers, pre_tokenizers

  scheme = "always" if prefix else "never"
  space = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme=scheme)
  split = pre_tokenizers.WhitespaceSplit()
  return _assemble(
    models.Unigram(source.scores, unk_id=unknown, byte_fallback=False),
    normalizers.Sequence(steps) if steps else None,
    pre_tokenizers.Sequence([split, space]) if words else space,
    decoders.Metaspace(replacement=SPACE, prepend_scheme=scheme),
  )


def _compiled(source: Source) -> list[Any]:
  from tokenizers import normalizers

  if source.charsmap is None:
    return []
  return [normalizers.Precompiled(source.charsmap)]


def _quotes(accents: bool, lower: bool) -> list[Any]:
  """Lists ALBERT's and XLNet's steps before sentencepiece's normalization."""
  from tokenizers import normalizers

  steps: list[Any] = [
    normalizers.Replace("``", '"'),
    normalizers.Replace("''", '"'),
  ]
  if not accents:
    steps += [normalizers.NFKD(), normalizers.StripAccents()]
  return [*steps, normalizers.Lowercase()] if lower else steps


def xlm_roberta(source: Source, settings: Settings) -> Any:
  prefix = settings.flag("add_prefix_space", True)
  return _unigram(source, 3, _compiled(source), prefix)


def albert(source: Source, settings: Settings) -> Any:
  steps = _quotes(
    settings.flag("keep_accents", False), settings.flag("do_lower_case", True)
  )
  prefix = settings.flag("add_prefix_space", True)
  return _unigram(source, 1, steps + _compiled(source), prefix)


def xlnet(source: Source, settings: Settings) -> Any:
  # Transformers 5 takes accents off whatever keep_accents says.
  steps = _quotes(False, settings.flag("do_lower_case", False))
  return _unigram(source, source.unknown, steps + _compiled(source))


def t5(source: Source, _: Settings) -> Any:
  return _unigram(source, 2, _compiled(source))


def mbart(source: Source, _: Settings) -> Any:
  return _unigram(source, 3, [])  # As Transformers 5, without normalization.


def mbart50(source: Source, _: Settings) -> Any:
  import tokenizers
  from tokenizers import normalizers

  one = normalizers.Replace(tokenizers.Regex(" {2,}"), " ")
  return _unigram(source, 3, [*_compiled(source), one], words=False)
