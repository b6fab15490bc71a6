"""Figures inside of a page: their colours, names, points and texts."""

import re
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest

from lm_jax.report import plots, style, svg

EVIL = "<script>alert(1)</script> & \"'"


@pytest.fixture(scope="module")
def drawn():
  """A figure of a line and of circles, as it is traced and inlined twice."""
  from matplotlib.figure import Figure

  with matplotlib.rc_context(style.RC):
    figure = Figure(figsize=(4, 3))
    axes = figure.add_subplot()
    look = {"color": "#0072B2", "gid": "arm1"}
    axes.plot([1, 2, 3, 4], [5, 1, 4, 4], label="line", **look)
    axes.plot([1, 3], [2, 5], "o", mfc="white", label="circles", **look)
    axes.plot([1, 2], [1, 1], label="of no arm", color=style.GREY)
    axes.set_title(EVIL)
    axes.set_xlabel("x")
    axes.set_ylabel("y")
    traces = svg.traces(figure, ("clm", EVIL))
    data = plots.rendered(figure, "svg")
  return traces, [svg.inline(data, f"f{i}-", EVIL) for i in (1, 2)]


def test_traces_are_the_lines_of_arms(drawn):
  traces, _ = drawn
  assert [(t.arm, t.label, t.axes) for t in traces] == [
    (EVIL, "line", ("x", "y")),
    (EVIL, "circles", ("x", "y")),
  ]
  assert traces[0].points == ((1, 5), (2, 1), (3, 4), (4, 4))


def test_the_points_stand_in_the_figure_where_the_numbers_say(drawn):
  """One affine map takes the numbers of all traces to their places."""
  traces, (text, _) = drawn
  root = ElementTree.fromstring(text)
  places, numbers = [], []
  for trace in traces:
    [group] = root.iterfind(f".//*[@data-trace='{trace.name}']")
    assert group.get("data-arm") == "1"
    marks = [(float(u.get("x")), float(u.get("y"))) for u in group.iter("use")]
    if not marks:
      path = group.find("path").get("d")
      marks = [
        tuple(map(float, m)) for m in re.findall(r"[ML] (\S+) (\S+)", path)
      ]
    assert len(marks) == len(trace.points)
    places += marks
    numbers += trace.points
  for places_P, numbers_P in zip(
    np.transpose(places), np.transpose(numbers), strict=True
  ):
    fit = np.polyval(np.polyfit(numbers_P, places_P, 1), numbers_P)
    np.testing.assert_allclose(places_P, fit, atol=1e-3)
    assert np.ptp(places_P) > 50


def test_nothing_of_a_figure_but_its_own(drawn):
  _, both = drawn
  identifiers = [set(re.findall(r' id="([^"]*)"', text)) for text in both]
  assert identifiers[0] and not identifiers[0] & identifiers[1]
  for text, known in zip(both, identifiers, strict=True):
    references = re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', text)
    assert references and {a or b for a, b in references} <= known
    assert not re.search(r"<style|style=|<metadata|http|DOCTYPE", text)
    # Colours are the page's, whatever its theme.
    assert not re.search(r'(fill|stroke)="#', text)
    assert 'stroke="var(--arm-1)"' in text and 'fill="var(--paper)"' in text


def test_texts_of_a_figure_are_texts(drawn):
  _, (text, _) = drawn
  assert "<script" not in text
  root = ElementTree.fromstring(text)
  assert root.get("aria-label") == EVIL
  assert EVIL in [element.text for element in root.iter("text")]
