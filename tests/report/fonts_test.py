"""Fonts of figures: what is drawn, and what is told where none has it."""

import logging
import warnings

import matplotlib
import pytest

from lm_jax.report import fonts, style

ODD = "\U0010fffd"  # of nobody's font


@pytest.fixture
def figure():
  from matplotlib.figure import Figure

  with matplotlib.rc_context(style.RC):
    figure = Figure(figsize=(3, 2))
    axes = figure.add_subplot()
    axes.set_title("größer −1 ≤ ×10⁵")
    axes.set_xlabel(f"评测{ODD}")
    yield figure


def test_english_keeps_its_font_and_what_lacks_is_told_once(figure, caplog):
  missing = fonts.fit(figure)
  assert ODD in missing and not missing & set("größer −1≤×⁵")
  [axes] = figure.axes
  assert axes.title.get_fontfamily() == [fonts.FAMILY]
  assert axes.xaxis.label.get_fontfamily()[0] == fonts.FAMILY
  with warnings.catch_warnings():
    warnings.simplefilter("error")
    assert fonts.saved(figure, format="png").startswith(b"\x89PNG")
  with caplog.at_level(logging.WARNING):
    fonts.tell(missing)
  [line] = caplog.messages
  assert "\n" not in line and "fonts-noto" in line and ODD in line
  caplog.clear()
  fonts.tell(set())
  assert not caplog.messages


def test_fonts_are_asked_by_what_they_have(monkeypatch):
  known = {
    fonts.FAMILY: "ab",
    "Noto Sans CJK JP": "漢字かな",
    "Noto Sans CJK SC": "漢字",
    "Own Sans": "ि",
    "Own Mono": "ि",
  }
  monkeypatch.setattr(fonts, "_paths", lambda: dict.fromkeys(known, ""))
  monkeypatch.setattr(fonts, "_known", lambda name: set(map(ord, known[name])))
  fonts.of.cache_clear()
  own, chinese, japanese = fonts.FAMILY, "Noto Sans CJK SC", "Noto Sans CJK JP"
  assert fonts.of(frozenset("ab")) == ((own,), frozenset())
  assert fonts.of(frozenset("漢a")) == ((own, chinese), frozenset())
  assert fonts.of(frozenset("漢か")) == ((own, japanese), frozenset())
  assert fonts.of(frozenset("िx")) == ((own, "Own Sans"), frozenset("x"))
  fonts.of.cache_clear()


def test_a_font_that_came_after_the_list_of_fonts_is_known(monkeypatch):
  from matplotlib import font_manager

  manager = font_manager.FontManager.__new__(font_manager.FontManager)
  every = font_manager.fontManager.ttflist
  [late] = [e for e in every if e.name == fonts.FAMILY and _is_plain(e)][:1]
  manager.__dict__.update(font_manager.fontManager.__dict__)
  manager.ttflist = [e for e in every if e.name != fonts.FAMILY]
  monkeypatch.setattr(font_manager, "fontManager", manager)
  monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [late.fname])
  fonts._paths.cache_clear()
  assert fonts._paths()[fonts.FAMILY] == late.fname
  fonts._paths.cache_clear()


def _is_plain(entry):
  return entry.style == "normal" and entry.weight == 400
