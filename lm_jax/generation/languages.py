"""Translation by models whose tokenizer has tokens of languages."""

from __future__ import annotations

import dataclasses

from lm_jax.generation.options import Generation
from lm_jax.loaded_model import Trained
from lm_jax.support import registry
from lm_jax.support.errors import UsageError

# English names of the languages of M2M-100 and mBART, by ISO 639 code.
_NAMES = """
af Afrikaans, am Amharic, ar Arabic, ast Asturian, az Azerbaijani, ba Bashkir,
be Belarusian, bg Bulgarian, bn Bengali, br Breton, bs Bosnian, ca Catalan,
ceb Cebuano, cs Czech, cy Welsh, da Danish, de German, el Greek, en English,
es Spanish, et Estonian, fa Persian, ff Fulah, fi Finnish, fr French,
fy Frisian, ga Irish, gd Gaelic, gl Galician, gu Gujarati, ha Hausa, he Hebrew,
hi Hindi, hr Croatian, ht Haitian, hu Hungarian, hy Armenian, id Indonesian,
ig Igbo, ilo Iloko, is Icelandic, it Italian, ja Japanese, jv Javanese,
ka Georgian, kk Kazakh, km Khmer, kn Kannada, ko Korean, lb Luxembourgish,
lg Ganda, ln Lingala, lo Lao, lt Lithuanian, lv Latvian, mg Malagasy,
mk Macedonian, ml Malayalam, mn Mongolian, mr Marathi, ms Malay, my Burmese,
ne Nepali, nl Dutch, no Norwegian, ns Sotho, oc Occitan, or Oriya, pa Punjabi,
pl Polish, ps Pashto, pt Portuguese, ro Romanian, ru Russian, sd Sindhi,
si Sinhala, sk Slovak, sl Slovenian, so Somali, sq Albanian, sr Serbian,
ss Swati, su Sundanese, sv Swedish, sw Swahili, ta Tamil, te Telugu, th Thai,
tl Tagalog, tn Tswana, tr Turkish, uk Ukrainian, ur Urdu, uz Uzbek,
vi Vietnamese, wo Wolof, xh Xhosa, yi Yiddish, yo Yoruba, zh Chinese, zu Zulu
"""
CODES = {
  name.lower(): code
  for code, name in (pair.split() for pair in _NAMES.split(","))
}


def between(
  model: Trained, options: Generation, source: str, target: str
) -> tuple[Trained, Generation, tuple[int, ...]]:
  """Prepares a model to translate, as Transformers does.

  The source's token stands where the tokenizer puts it around a text. That of
  the target is the first new token (M2M-100, mBART-50), or what the decoder
  begins with where a text ends with its language (mBART).

  Args:
    model: whose tokenizer has tokens of languages.
    options: of the generation.
    source, target: codes ("de", "de_DE") or English names; "" is as before.

  Returns:
    the model as it reads the source, the options, and what its decoder begins
    with, () for what it always does.

  Raises:
    UsageError: it has no such languages.
  """
  decoder: tuple[int, ...] = ()
  specials = model.spec.specials
  if source:
    new = token(model, source, "--source_language")
    old = set(_known(model).values())
    specials = dataclasses.replace(
      specials,
      before=tuple(new if i in old else i for i in specials.before),
      after=tuple(new if i in old else i for i in specials.after),
    )
    model = dataclasses.replace(
      model, spec=dataclasses.replace(model.spec, specials=specials)
    )
  if target:
    chosen = token(model, target, "--target_language")
    if options.forced_bos_token_id >= 0:
      raise UsageError(
        f"--forced_bos_token_id={options.forced_bos_token_id}: does not go"
        " with --target_language, which stands for it"
      )
    if set(specials.after) & set(_known(model).values()):
      decoder = (chosen,)
    else:
      options = dataclasses.replace(options, forced_bos_token_id=chosen)
  return model, options, decoder


def token(model: Trained, name: str, flag: str) -> int:
  """Finds the id of a language's token.

  Args:
    model: whose tokenizer has it.
    name: its code or English name.
    flag: names it in messages.

  Raises:
    UsageError: it has none, or not of this language.
  """
  known = _known(model)
  if not known:
    raise UsageError(
      f"{flag}={name}: the model's tokenizer has no tokens of languages"
    )
  code = CODES.get(name.lower(), name)
  for each, i in known.items():
    if code in (each, each.partition("_")[0]):
      return i
  near = registry.nearest(name.lower(), CODES)
  if near and not registry.nearest(name, known):
    raise UsageError(
      f"{flag}={name}: unknown; did you mean {near[0].title()}? Valid:"
      f" {', '.join(known)}"
    )
  raise registry.unknown(flag, name, known)


def _known(model: Trained) -> dict[str, int]:
  return model.tokenizer.languages if model.tokenizer is not None else {}
