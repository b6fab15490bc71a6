"""Reads a page as a browser takes it apart, and holds it to its policy."""

import base64
import hashlib
import html.parser
import json


class Page(html.parser.HTMLParser):
  """The tags of a page with their attributes, its text, style and scripts."""

  def __init__(self, text):
    super().__init__()
    self.tags, self.text, self.inside = [], "", [("", {}, "")]
    self.feed(text)

  def handle_starttag(self, tag, attributes):
    self.tags.append((tag, dict(attributes)))
    self.inside.append((tag, dict(attributes), ""))

  def handle_endtag(self, tag):
    self.inside.append(("", {}, ""))

  def handle_data(self, data):
    tag, attributes, text = self.inside[-1]
    self.inside[-1] = (tag, attributes, text + data)
    if tag not in ("script", "style"):
      self.text += data

  def contents(self, tag):
    return [(a, text) for name, a, text in self.inside if name == tag]

  def all(self, tag):
    return [attributes for name, attributes in self.tags if name == tag]

  @property
  def data(self):
    [(_, text)] = [
      one for one in self.contents("script") if one[0].get("id") == "data"
    ]
    return json.loads(text)


def _hash(text):
  digest = base64.b64encode(hashlib.sha256(text.encode()).digest())
  return f"'sha256-{digest.decode()}'"


def strict(text):
  """Reads a page; nothing of it loads, and only what its policy names runs."""
  page = Page(text)
  [policy] = [
    meta["content"]
    for meta in page.all("meta")
    if meta.get("http-equiv") == "Content-Security-Policy"
  ]
  rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
  assert rules["default-src"] == rules["base-uri"] == "'none'"
  [(_, style)] = page.contents("style")
  assert rules["style-src"] == _hash(style)
  code = [x for a, x in page.contents("script") if "type" not in a]
  assert [rules["script-src"]] * bool(code) == list(map(_hash, code))
  for tag, attributes in page.tags:
    assert tag not in ("iframe", "object", "embed", "link", "base", "img"), tag
    for name, value in attributes.items():
      assert not name.startswith("on") and name not in ("src", "style"), name
      assert name not in ("href", "xlink:href") or value.startswith("#")
      assert "url(" not in (value or "") or value.startswith("url(#")
  return page
