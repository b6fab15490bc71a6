"""Docstrings begin with a verb or name the thing; files have one job."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
FILES = sorted((ROOT / "lm_jax").rglob("*.py"))
# A docstring that begins so makes a reader wait for what it is about.
CLAUSE = re.compile(
  r"(What|Of|As|Where|Those|Who|Whom|Whose|Which|How|When|That|Whether|Why|If"
  r"|So|In|By|From|To|For|With|Without|Behind|Until|Unless|Itself|At|On"
  r"|Under|Over|Among|Between|Is|Are|Does|Do|Has|Have|May|Can|Will)\b"
)
MOST_LINES = 350


def _docstrings(tree):
  for node in ast.walk(tree):
    if isinstance(
      node,
      (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef),
    ):
      text = ast.get_docstring(node)
      if text:
        yield getattr(node, "lineno", 1), text


def _clauses(tree):
  return [
    f"{line}: {text.splitlines()[0]}"
    for line, text in _docstrings(tree)
    if CLAUSE.match(text)
  ]


@pytest.mark.parametrize(
  "text", ["What is kept.", "Of a run.", "Is it whole?", "As it was."]
)
def test_a_clause_is_seen(text):
  assert _clauses(ast.parse(f'def f():\n  """{text}"""'))


def test_docstrings_begin_with_a_verb_or_name_the_thing():
  clauses = [
    f"{path.relative_to(ROOT)}:{clause}"
    for path in FILES
    for clause in _clauses(ast.parse(path.read_text("utf-8")))
  ]
  assert not clauses, "\n".join(clauses)


def test_no_local_is_called_found():
  # It says nothing of what it holds.
  names = [
    f"{path.relative_to(ROOT)}:{node.lineno}"
    for path in FILES
    for node in ast.walk(ast.parse(path.read_text("utf-8")))
    if isinstance(node, ast.Name)
    and isinstance(node.ctx, ast.Store)
    and node.id == "found"
  ]
  assert not names, "\n".join(names)


def test_files_are_short():
  long = {
    str(path.relative_to(ROOT)): lines
    for path in (*FILES, *sorted((ROOT / "tests").rglob("*.py")))
    if (lines := len(path.read_text("utf-8").splitlines())) > MOST_LINES
  }
  assert not long
