"""The page in headless Chromium: what it loads, tells, hides and looks like.

Needs Chromium (Debian's package, or $CHROMIUM) and the extra `browser`.
"""

import importlib.util
import json
import os
import shutil

import pytest
from shown_pages import CONTRASTS, EVIL_ARM, written

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
MISSING = [
  *(["an executable `chromium`"] if not CHROMIUM else []),
  *(["playwright"] if not importlib.util.find_spec("playwright") else []),
]
pytestmark = [
  pytest.mark.browser,
  pytest.mark.skipif(bool(MISSING), reason=f"no {' and no '.join(MISSING)}"),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
  return written(tmp_path_factory.mktemp("pages") / "experiment")


@pytest.fixture(scope="module")
def browser():
  from playwright.sync_api import sync_playwright

  with sync_playwright() as playwright:
    # Its sandbox refuses to run as root; the page is our own.
    own = ["--no-sandbox"] if os.geteuid() == 0 else []
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=own)
    yield browser
    browser.close()


@pytest.fixture
def visit(browser, report):
  """Opens the page offline: `options` of the browser's context."""
  contexts = []

  def visit(**options):
    context = browser.new_context(offline=True, **options)
    contexts.append(context)
    page = context.new_page()
    page.log, page.requested = [], []
    page.on("console", lambda message: page.log.append(message.text))
    page.on("pageerror", lambda error: page.log.append(str(error)))
    page.on("request", lambda request: page.requested.append(request.url))
    page.goto((report / "report.html").as_uri())
    return page

  yield visit
  for context in contexts:
    context.close()


def _end_of_line(page, figure, name):
  """Where the last point of a line stands in the window."""
  selector = f'[data-figure="{figure}"] [data-trace="{name}"] path'
  line = page.locator(selector).first
  line.scroll_into_view_if_needed()
  return line.evaluate(
    """path => {
      const end = path.getPointAtLength(path.getTotalLength());
      const at = end.matrixTransform(path.ownerSVGElement.getScreenCTM());
      return [at.x, at.y];
    }"""
  )


def _trace(page, figure, arm, label):
  """The name of a line, by its arm and its label."""
  data = json.loads(page.locator("#data").text_content())
  [name] = [
    name
    for name, trace in data[figure].items()
    if (trace["arm"], trace["label"]) == (arm, label)
  ]
  return name


def test_nothing_is_loaded_and_nothing_goes_wrong(visit, report):
  page = visit()
  page.locator(".arms button").first.click()
  page.mouse.move(300, 300)
  page.wait_for_timeout(200)
  assert page.requested == [(report / "report.html").as_uri()]
  assert page.log == []
  assert EVIL_ARM in page.locator("tbody").first.inner_text()
  # The policy holds: what the page does not bring with it does not run.
  page.evaluate(
    "document.body.insertAdjacentHTML('beforeend',"
    ' \'<img src="https://example.org/x.png" onerror="window.ran = 1">\')'
  )
  page.wait_for_timeout(200)
  assert page.evaluate("window.ran") is None
  assert any("Content Security Policy" in line for line in page.log)


def test_the_nearest_point_is_told(visit, report):
  page = visit(viewport={"width": 1280, "height": 900})
  name = _trace(page, "curves_flops", "mlm", "1")
  x, y = _end_of_line(page, "curves_flops", name)
  page.mouse.move(x + 1, y + 1)
  lines = (report / "runs/mlm-1/metrics.jsonl").read_text().splitlines()
  last = [json.loads(line) for line in lines if "minimal_pairs" in line][-1]
  told = page.locator(".tip").inner_text().splitlines()
  assert told[0] == "mlm: 1"
  assert float(told[1].rpartition(": ")[2]) == pytest.approx(1, rel=1e-3)
  assert told[1].startswith("FLOPs (×10¹³): ")
  assert told[2] == (
    f"minimal pairs, accuracy (%): {100 * last['minimal_pairs']:.4g}"
  )
  # And with keys: to the point before it, and back.
  page.locator('[data-figure="curves_flops"] .wide').focus()
  page.keyboard.press("ArrowLeft")
  assert page.locator(".tip").inner_text().splitlines() != told
  page.keyboard.press("ArrowRight")
  assert page.locator(".tip").inner_text().splitlines() == told
  page.keyboard.press("Escape")
  assert page.locator(".tip").is_hidden()


def test_a_button_hides_an_arm_everywhere(visit):
  page = visit(viewport={"width": 1280, "height": 900})
  button = page.get_by_role("button", name="mlm", exact=True)
  place = button.get_attribute("data-switch")
  shown = f"[data-arm='{place}']"
  count = page.locator(shown).count()
  kinds = set(
    page.locator(shown).evaluate_all("all => all.map(e => e.tagName)")
  )
  assert count > 20 and kinds == {"TR", "g"}
  rows = page.locator(f"tr{shown}").count()
  x, y = _end_of_line(
    page, "curves_flops", _trace(page, "curves_flops", "mlm", "1")
  )
  button.focus()
  page.keyboard.press("Space")
  assert button.get_attribute("aria-pressed") == "false"
  hidden = (
    "all => all.filter(e => getComputedStyle(e).display == 'none').length"
  )
  assert page.locator(shown).evaluate_all(hidden) == count
  others = page.locator("tr[data-arm]").evaluate_all(hidden)
  assert others == rows  # and no other arm's
  left = "all => all.filter(e => e.getBoundingClientRect().width).length"
  assert page.locator("svg [stroke='var(--arm-1)']").evaluate_all(left) == 0
  assert page.locator("svg [stroke='var(--arm-2)']").evaluate_all(left) > 0
  page.mouse.move(x + 1, y + 1)
  assert not page.locator(".tip").inner_text().startswith("mlm:")
  page.get_by_role("button", name="all arms").click()
  assert button.get_attribute("aria-pressed") == "true"
  assert page.locator(shown).evaluate_all(hidden) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(scheme, visit):
  """Contrast is at least 4.5 : 1 (WCAG 2.1, 1.4.3), in figures, too."""
  page = visit(color_scheme=scheme)
  page.locator("details").evaluate_all("all => all.forEach(d => d.open = true)")
  page.locator(".arms button").nth(1).click()  # one that is switched off
  contrasts = page.evaluate(CONTRASTS)
  dark = page.evaluate(
    "getComputedStyle(document.body).backgroundColor == 'rgb(255, 255, 255)'"
  )
  assert dark is (scheme == "light")
  assert len(contrasts) > 300
  assert any(one["tag"] == "text" for one in contrasts)
  assert any(one["tag"] == "SMALL" for one in contrasts)  # of the heat map
  assert [one for one in contrasts if one["contrast"] < 4.5] == []


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_is_never_wider_than_the_window(width, visit):
  page = visit(viewport={"width": width, "height": 844})
  page.locator("details").evaluate_all("all => all.forEach(d => d.open = true)")
  assert page.evaluate("document.documentElement.scrollWidth") <= width
  inside = page.locator(".wide").first.bounding_box()
  assert inside["x"] >= 0 and inside["x"] + inside["width"] <= width


def test_paper_is_light_and_unfolded(visit):
  page = visit(color_scheme="dark")
  page.emulate_media(media="print")
  colour = "getComputedStyle(document.body).{}"
  assert page.evaluate(colour.format("color")) == "rgb(34, 34, 34)"
  for name in (".arms", "nav", ".cases > label"):
    assert page.locator(name).first.is_hidden(), name
  folded = page.locator("details:not([open])")
  assert folded.count() > 3
  page.evaluate("dispatchEvent(new Event('beforeprint'))")
  assert folded.count() == 0
  assert page.locator("details pre").first.is_visible()
  page.evaluate("dispatchEvent(new Event('afterprint'))")
  assert folded.count() > 3


def test_without_a_script_all_is_shown(visit):
  page = visit(java_script_enabled=False)
  assert page.locator(".arms").is_hidden()
  assert page.locator("svg").count() >= 4
  for element in page.locator("table, svg, article:visible").all():
    if not element.locator("xpath=ancestor::details").count():
      assert element.is_visible()
  assert "mlm" in page.locator("svg").first.text_content()
