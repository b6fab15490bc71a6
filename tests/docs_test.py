"""Links of the documents lead somewhere; the interface's pages can be built."""

import ast
import doctest
import html.parser
import itertools
import pathlib
import re
import urllib.parse

import processes
import pytest
from printed import README, ROOT, commands, files

CHINESE = ROOT / "README.zh-CN.md"
DOCUMENTS = [README, CHINESE, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
DOCUMENTS += sorted((ROOT / "docs").glob("*.md"))
# A link in text or a picture, and the target of a reference.
LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)|^\[[^\]]+\]: *(\S+)", re.MULTILINE)


def prose(text):
  """A document without its blocks and spans of code."""
  text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
  text = re.sub(r"^ {4,}.*$", "", text, flags=re.MULTILINE)
  return re.sub(r"`[^`\n]+`", "code", text)


def links(path):
  """The targets of a document's links that are not addresses."""
  found = ["".join(match) for match in LINK.findall(prose(path.read_text()))]
  return [link for link in found if not re.match(r"\w+:", link)]


def anchors(path):
  """What a heading of a document is called in a link, as GitHub has it."""
  text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.M | re.S)
  names = set()
  for heading in re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE):
    heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    slug = re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")
    later = (f"{slug}-{number}" for number in itertools.count(1))
    names.add(next(n for n in itertools.chain([slug], later) if n not in names))
  return names


def broken(path):
  """The links of a document that lead nowhere."""
  wrong = []
  for link in links(path):
    target, _, anchor = urllib.parse.unquote(link).partition("#")
    file = (path.parent / target).resolve() if target else path
    inside = file.is_relative_to(ROOT)
    whole = inside and file.exists()
    if whole and anchor:
      whole = file.suffix == ".md" and anchor in anchors(file)
    if not whole:
      wrong.append(link)
  return wrong


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
  assert not broken(path)


def test_a_broken_link_is_seen(tmp_path, monkeypatch):
  monkeypatch.setitem(globals(), "ROOT", tmp_path)
  (tmp_path / "b.md").write_text("# A `b` & c: d\n\n```\n# no heading\n```\n")
  (tmp_path / "a.md").write_text(
    "[b](b.md) [b](b.md#a-b--c-d) ![p](https://x.org/p.png) `[i](code)`\n"
    "[x](b.md#no-heading) [y](c.md) [z](#a) [o](../o.md)\n\n    [i](code)\n"
  )
  wrong = ["b.md#no-heading", "c.md", "#a", "../o.md"]
  assert broken(tmp_path / "a.md") == wrong


def test_the_index_names_every_page():
  index = ROOT / "docs" / "index.md"
  named = {link.partition("#")[0] for link in links(index)}
  pages = {path.name for path in (ROOT / "docs").glob("*.md")}
  assert pages - {"index.md"} <= named


def rooms(path):
  """The rooms of lm_jax in a README's table, in its order."""
  rows = re.findall(r"^\| (\[.+?) \|", path.read_text(), re.MULTILINE)
  targets = re.findall(r"\]\(lm_jax/([^)]*)\)", " ".join(rows))
  return [target.removesuffix(".py") for target in targets]


@pytest.mark.parametrize("path", [README, CHINESE], ids=lambda p: p.name)
def test_readme_has_every_room_in_the_order_of_imports(path):
  tree = ast.parse((ROOT / "tests" / "architecture_test.py").read_text())
  [floors] = (
    ast.literal_eval(node.value)
    for node in tree.body
    if isinstance(node, ast.Assign) and node.targets[0].id == "FLOORS"
  )
  level = {room: i for i, floor in enumerate(floors) for room in floor}
  named = rooms(path)
  assert set(named) == {r.split(".")[0] for r in level} - {"lm_jax", "__main__"}
  assert [level[r] for r in named] == sorted(level[r] for r in named)
  assert len(named) == len(set(named))


def numbers(path):
  """The numbers of a README's table of results, row by row."""
  rows = re.findall(r"^\| (\w+) \| (\d.*)$", path.read_text(), re.MULTILINE)
  return [(arm, re.findall(r"[−+]?\d[\d.]*", rest)) for arm, rest in rows]


def test_both_readmes_have_the_same_commands_and_numbers():
  told = [[command.words for command in commands(p)] for p in (README, CHINESE)]
  assert told[0] == told[1]
  assert len(numbers(README)) == 4
  assert numbers(README) == numbers(CHINESE)
  others = {README.name, CHINESE.name}
  assert set(links(README)) - others == set(links(CHINESE)) - others
  assert CHINESE.name in links(README) and README.name in links(CHINESE)


def test_the_examples_of_the_concepts_are_true():
  tried = doctest.testfile(str(ROOT / "docs" / "concepts.md"), False)
  assert tried.attempted > 5 and not tried.failed


def test_the_experiment_that_a_beginner_writes_can_be_run(tmp_path):
  path = ROOT / "docs" / "getting_started.md"
  [(name, code)] = files(path).items()
  (tmp_path / name).parent.mkdir()
  (tmp_path / name).write_text(code)
  [planned] = [c for c in commands(path) if c.value("experiment")]
  words = [*planned.words, "--launcher=print", f"--data.cache={tmp_path}"]
  words = [w for w in words if not re.match("--(plan|effect|spread)", w)]
  done = processes.python(ROOT / "launch.py", *words, cwd=tmp_path)
  assert done.returncode == 0 and done.stdout.count("launch.py train") == 6


class _Page(html.parser.HTMLParser):
  """The links of a page, and what may be linked to in it."""

  def __init__(self, path):
    super().__init__()
    self.links, self.ids = [], set()
    self.feed(path.read_text("utf-8"))

  def handle_starttag(self, tag, attributes):
    for name, value in attributes:
      if name in ("href", "src") and not re.match(r"\w+:", value):
        self.links.append(value)
      elif name in ("id", "name"):
        self.ids.add(value)


def test_pages_of_the_interface_are_built_and_their_links_lead_somewhere(
  tmp_path,
):
  pytest.importorskip("pdoc")
  done = processes.python("-W", "error", "docs/api.py", tmp_path)
  assert done.returncode == 0, done.stderr
  assert not done.stderr
  pages = {path: _Page(path) for path in tmp_path.rglob("*.html")}
  names = {str(p.relative_to(tmp_path).with_suffix("")) for p in pages}
  assert names == {"index", "lm_jax"} | {
    f"lm_jax/{name}"
    for name in (
      *(
        "language_model/arrays",
        "config",
        "types",
        "objectives/base",
        "tasks/base",
      ),
    )
  } | {"lm_jax/families/base", "lm_jax/adaptation/base"}
  for path, page in pages.items():
    for link in page.links:
      target, _, anchor = urllib.parse.unquote(link).partition("#")
      file = pathlib.Path(path.parent, target).resolve() if target else path
      assert file in pages, f"{path}: {link}"
      assert not anchor or anchor in pages[file].ids, f"{path}: {link}"
  assert {"load", "LanguageModel.score", "compare"} <= (
    pages[tmp_path / "lm_jax.html"].ids
  )
  assert "Config.budget" in pages[tmp_path / "lm_jax/config.html"].ids
