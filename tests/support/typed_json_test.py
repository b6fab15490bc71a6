import dataclasses
from typing import Any, Literal

import pytest

from lm_jax.support import typed_json
from lm_jax.support.errors import UsageError, about, advising


@dataclasses.dataclass(frozen=True)
class Score:
  task: str
  value: float | None
  items: list[int] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Page:
  kind: Literal["table", "figure"]
  scores: tuple[Score, ...]
  notes: dict[str, str] = dataclasses.field(default_factory=dict)
  more: Any = None


def test_what_is_said_becomes_dataclasses():
  value = {
    "kind": "table",
    "scores": [
      {"task": "cola", "value": 1, "new": "of a later version"},
      {"task": "rte", "value": None, "items": [1, 2]},
    ],
    "notes": {"a": "b"},
  }
  assert typed_json.as_kind(value, Page, "page.json") == Page(
    "table", (Score("cola", 1), Score("rte", None, [1, 2])), {"a": "b"}
  )


@pytest.mark.parametrize(
  ("kind", "value", "message"),
  [
    (Page, [], "f: []: must be an object"),
    (Page, {"kind": "table"}, "f: has no scores"),
    (Page, {"kind": "plot", "scores": []}, "f: kind: 'plot': must be one of"),
    (
      Page,
      {"kind": "table", "scores": [{"task": "a", "value": "b"}]},
      "f: scores, number 1: value: 'b': must be a number",
    ),
    (
      Page,
      {"kind": "table", "scores": [], "notes": {"x": 1}},
      "f: notes, x: 1: must be text",
    ),
    (int, True, "f: True: must be a whole number"),
    (float, True, "f: True: must be a number"),
    (int | str, 1.5, "f: 1.5: must be a whole number or text"),
    (Score | None, {"task": 1}, "f: task: 1: must be text"),
    (list[int], {}, "f: {}: must be a list"),
    (dict[str, int], [], "f: []: must be an object"),
  ],
)
def test_what_is_another_kind_is_named(kind, value, message):
  with pytest.raises(UsageError) as error:
    typed_json.as_kind(value, kind, "f")
  assert str(error.value).startswith(message)


def test_a_file_is_named_by_its_path(tmp_path):
  path = tmp_path / "score.json"
  path.write_text('{"task": "cola"}')
  with pytest.raises(UsageError, match=f"^{path}: has no value$"):
    typed_json.read_as(path, Score)


def test_an_error_says_what_it_is_about():
  with (
    pytest.raises(UsageError) as error,
    about("--task_data=a\nb"),
    advising("mend it"),
    about("line 3"),
  ):
    raise UsageError("no label")
  assert str(error.value) == "--task_data=a\\nb: line 3: no label; mend it"
