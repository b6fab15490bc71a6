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


def bert(source: Source, settings: Settings) -> Any:
  import tokenizers
  from tokenizers import decoders, models, normalizers, pre_tokenizers

  unknown = settings.content("unk", "[UNK]")
  tokenizer = tokenizers.Tokenizer(
    models.WordPiece(source.ids, unk_token=unknown)
  )
  tokenizer.normalizer = normalizers.BertNormalizer(
    clean_text=True,
    handle_chinese_chars=settings.flag("tokenize_chinese_chars", True),
    strip_accents=settings.flag("strip_accents", None),
    lowercase=settings.flag("do_lower_case", True),
  )
  tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
  tokenizer.decoder = decoders.WordPiece(prefix="##")
  return tokenizer


def gpt(source: Source, settings: Settings) -> Any:
  import tokenizers
  from tokenizers import decoders, models, normalizers, pre_tokenizers

  tokenizer = tokenizers.Tokenizer(
    models.BPE(
      vocab=source.ids,
      merges=source.merges,
      continuing_subword_prefix="",
      end_of_word_suffix="</w>",
      unk_token=settings.content("unk", "<unk>"),
    )
  )
  tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
  tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
  tokenizer.decoder = decoders.BPEDecoder(suffix="</w>")
  return tokenizer


def byte_level(source: Source, settings: Settings) -> Any:
  import tokenizers
  from tokenizers import decoders, models, pre_tokenizers

  tokenizer = tokenizers.Tokenizer(
    models.BPE(
      vocab=source.ids,
      merges=source.merges,
      continuing_subword_prefix="",
      end_of_word_suffix="",
    )
  )
  tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(
    add_prefix_space=settings.flag("add_prefix_space", False)
  )
  tokenizer.decoder = decoders.ByteLevel()
  return tokenizer


def llama(source: Source, settings: Settings) -> Any:
  import tokenizers
  from tokenizers import decoders, models, pre_tokenizers

  prefix = settings.flag("add_prefix_space", None) in (True, None)
  # "legacy" puts a space behind special tokens in a text, too.
  legacy = settings.flag("legacy", False)
  scheme = "always" if legacy else "first"
  tokenizer = tokenizers.Tokenizer(
    models.BPE(
      vocab=source.ids,
      merges=source.merges,
      fuse_unk=True,
      byte_fallback=True,
    )
  )
  tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(
    replacement=SPACE,
    prepend_scheme=scheme if prefix else "never",
    split=False,
  )
  steps: list[Any] = [
    decoders.Replace(SPACE, " "),
    decoders.ByteFallback(),
    decoders.Fuse(),
  ]
  if prefix:
    steps.append(decoders.Strip(content=" ", left=1))
  tokenizer.decoder = decoders.Sequence(steps)
  return tokenizer


def _unigram(
  source: Source, unknown: int, steps: list[Any], prefix: bool, words: bool
) -> Any:
  """Sentencepiece as Transformers rebuilds it.

  steps: of the normalizer. prefix: does each word start with a space? words:
  are white spaces of any kind and number one border of words?
  """
  import tokenizers
  from tokenizers import decoders, models, normalizers, pre_tokenizers

  scheme = "always" if prefix else "never"
  tokenizer = tokenizers.Tokenizer(
    models.Unigram(source.scores, unk_id=unknown, byte_fallback=False)
  )
  if steps:
    tokenizer.normalizer = normalizers.Sequence(steps)
  space = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme=scheme)
  split = pre_tokenizers.WhitespaceSplit()
  tokenizer.pre_tokenizer = (
    pre_tokenizers.Sequence([split, space]) if words else space
  )
  tokenizer.decoder = decoders.Metaspace(
    replacement=SPACE, prepend_scheme=scheme
  )
  return tokenizer


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
  return _unigram(source, 3, _compiled(source), prefix, words=True)


def albert(source: Source, settings: Settings) -> Any:
  steps = _quotes(
    settings.flag("keep_accents", False), settings.flag("do_lower_case", True)
  )
  prefix = settings.flag("add_prefix_space", True)
  return _unigram(source, 1, steps + _compiled(source), prefix, words=True)


def xlnet(source: Source, settings: Settings) -> Any:
  # Transformers 5 takes accents off whatever keep_accents says.
  steps = _quotes(False, settings.flag("do_lower_case", False))
  steps += _compiled(source)
  return _unigram(source, source.unknown, steps, prefix=True, words=True)


def t5(source: Source, settings: Settings) -> Any:
  del settings
  return _unigram(source, 2, _compiled(source), prefix=True, words=True)


def mbart(source: Source, settings: Settings) -> Any:
  del settings  # Transformers 5 leaves out the compiled normalization.
  return _unigram(source, 3, [], prefix=True, words=True)


def mbart50(source: Source, settings: Settings) -> Any:
  import tokenizers
  from tokenizers import normalizers

  del settings
  one = normalizers.Replace(tokenizers.Regex(" {2,}"), " ")
  steps = [*_compiled(source), one]
  return _unigram(source, 3, steps, prefix=True, words=False)
