"""Fonts of figures: the installed ones that have the characters to draw."""

from __future__ import annotations

import functools
import io
import itertools
import unicodedata
import warnings
from collections.abc import Collection, Iterator
from typing import Any

from absl import logging

# matplotlib brings it along.
FAMILY = "DejaVu Sans"
# Those that are asked first: of Chinese, of all the three, of each script. Then
# come the others that are installed.
_CHINESE = (
  *("Noto Sans CJK SC", "Source Han Sans SC", "Source Han Sans CN"),
  *("PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", "SimHei"),
  *("Noto Sans SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei"),
  *("Noto Sans CJK TC", "PingFang TC", "Microsoft JhengHei", "Noto Sans TC"),
)
_JAPANESE = (
  *("Noto Sans CJK JP", "Source Han Sans", "Source Han Sans JP"),
  *("Hiragino Sans", "Yu Gothic", "Meiryo", "Noto Sans JP", "IPAexGothic"),
  *("IPAGothic", "TakaoGothic", "VL Gothic"),
)
_KOREAN = (
  *("Noto Sans CJK KR", "Source Han Sans KR", "Apple SD Gothic Neo"),
  *("Malgun Gothic", "Noto Sans KR", "NanumGothic", "UnDotum"),
)
_OTHERS = (
  *("Droid Sans Fallback", "Noto Sans", "Noto Sans Devanagari"),
  *("Noto Sans Thai", "Noto Sans Arabic", "Nirmala UI", "Leelawadee UI"),
  *("Arial Unicode MS", "FreeSans"),
)
# Those that draw any character as a box.
_BOXES = ("Last Resort", "LastResort", "Adobe Blank", "Unifont Upper CSUR")
_NORMAL = (400, "normal", "regular")  # weights
_MOST = 24  # characters that are told


def fit(figure: Any) -> frozenset[str]:
  """Gives the texts of a matplotlib figure fonts that have their characters.

  Texts that matplotlib's own font has stay as they are.

  Returns:
    The characters that no installed font has.
  """
  from matplotlib.text import Text

  missing: frozenset[str] = frozenset()
  for artist in figure.findobj(Text):
    signs = _drawn(artist.get_text())
    if not signs.isascii():
      families, lacking = of(frozenset(signs))
      missing |= lacking
      if families != (FAMILY,):
        artist.set_fontfamily(list(families))
  return missing


def can_draw(text: str) -> bool:
  """Returns whether installed fonts have all characters of a text."""
  return not of(frozenset(_drawn(text)))[1]


def saved(figure: Any, **options: Any) -> bytes:
  """Renders a figure's file; `fit` knows what can't be drawn, and not it.

  options: of Figure.savefig.
  """
  out = io.BytesIO()
  with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
    figure.savefig(out, **options)
  return out.getvalue()


def tell(missing: Collection[str]) -> None:
  """Warns of characters that no installed font has, in one line."""
  if not missing:
    return
  signs = sorted(missing)
  wanted = {_package(sign) for sign in signs}
  more = f" and {len(signs) - _MOST} more" if len(signs) > _MOST else ""
  logging.warning(
    "figures have boxes for characters that no installed font has: %s%s;"
    " install %s and make them again",
    " ".join(signs[:_MOST]),
    more,
    " and ".join(sorted(wanted)),
  )


@functools.cache
def of(signs: frozenset[str]) -> tuple[tuple[str, ...], frozenset[str]]:
  """Chooses fonts that have some characters.

  Returns:
    The families, the first of which that has a character draws it; and the
    characters that no installed font has.
  """
  families = [FAMILY]
  missing = {sign for sign in signs if ord(sign) not in _known(FAMILY)}
  for family in _installed(_preferred(signs)) if missing else ():
    own = {sign for sign in missing if ord(sign) in _known(family)}
    if own:
      families.append(family)
      missing -= own
    if not missing:
      break
  return tuple(families), frozenset(missing)


def _drawn(text: str) -> str:
  """Leaves out what has no shape: white space, controls, joiners."""
  return "".join(
    sign
    for sign in text
    if not sign.isspace() and unicodedata.category(sign) not in ("Cc", "Cf")
  )


def _preferred(signs: Collection[str]) -> tuple[str, ...]:
  """Orders families by the language of some characters.

  A Han character has another shape in each language; beside kana it is
  Japanese, beside Hangul Korean.
  """
  names = {_block(sign) for sign in signs}
  orders = [_CHINESE, _JAPANESE, _KOREAN]
  if "HANGUL" in names:
    orders.insert(0, _KOREAN)
  if names & {"HIRAGANA", "KATAKANA"}:
    orders.insert(0, _JAPANESE)
  return tuple(dict.fromkeys(itertools.chain(*orders, _OTHERS)))


def _block(sign: str) -> str:
  """Returns the first word of a character's name, such as HANGUL."""
  return unicodedata.name(sign, "").partition(" ")[0]


def _package(sign: str) -> str:
  if _block(sign) in ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"):
    return "Noto Sans CJK (Debian, Ubuntu: fonts-noto-cjk)"
  return "Noto Sans (Debian, Ubuntu: fonts-noto-core)"


def _installed(preferred: Collection[str]) -> Iterator[str]:
  """Yields the families that are installed, preferred ones first."""
  names = _paths()
  yield from (family for family in preferred if family in names)
  others = (family for family in names if family not in preferred)
  # Sans before others, and what is for a terminal last.
  yield from sorted(
    others, key=lambda name: ("Mono" in name, "Sans" not in name, name)
  )


@functools.cache
def _paths() -> dict[str, str]:
  """Returns the upright files of normal weight, by family.

  matplotlib keeps a list of fonts, and does not look for new ones by itself.
  """
  from matplotlib import font_manager

  manager = font_manager.fontManager
  known = {str(entry.fname) for entry in manager.ttflist}
  for path in font_manager.findSystemFonts():
    if path not in known:
      try:
        manager.addfont(path)
      except (OSError, RuntimeError, ValueError):  # no font after all
        continue
  return {
    entry.name: str(entry.fname)
    for entry in manager.ttflist
    if entry.style == "normal"
    and entry.weight in _NORMAL
    and not entry.name.startswith((".", *_BOXES))
  }


@functools.cache
def _known(family: str) -> frozenset[int]:
  """Returns the code points that a family has."""
  from matplotlib import font_manager

  try:
    return frozenset(font_manager.get_font(_paths()[family]).get_charmap())
  except (OSError, RuntimeError, ValueError):  # gone or damaged
    return frozenset()
