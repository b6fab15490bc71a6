import json

import pytest

from lm_jax.support import strict_json
from lm_jax.support.errors import UsageError, short


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None, "é\0😀"]}, 3, "", []])
def test_json_is_read(value, tmp_path):
  for escape in (True, False):
    text = json.dumps(value, ensure_ascii=escape)
    assert strict_json.parse(text, "x") == value
    (tmp_path / "x").write_text(text, encoding="utf-8")
    assert strict_json.read(tmp_path / "x") == value


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("", "not JSON: Expecting value"),
    ("[NaN]", "not JSON: NaN"),
    ("[-Infinity]", "not JSON: -Infinity"),
    ("1e999", "the number 1e999 is too large"),
    ("1" * 5000, "not JSON: Exceeds"),
    ('{"b": 0, "a": 1, "b": 2}', "the name 'b' twice"),
    ('{"a": "\\ud83d"}', "half a surrogate pair"),
    ('{"\\uDE00": 1}', "half a surrogate pair"),
    ("[" * 10**5, "nested too deeply"),
    ("\ufeff{}", "BOM"),
    ("{} {}", "Extra data"),
  ],
)
def test_what_python_reads_otherwise_is_refused(text, message):
  with pytest.raises(UsageError, match=f"^some/file: .*{message}"):
    strict_json.parse(text, "some/file")


def test_results_may_be_no_numbers():
  found = strict_json.parse("[NaN, 1e999]", "x", finite=False)
  assert found[0] != found[0] and found[1] == float("inf")


@pytest.mark.parametrize(
  ("data", "message"),
  [(b"\xff", "not UTF-8"), (None, "cannot be read: No such file")],
)
def test_files_that_hold_no_text(tmp_path, data, message):
  path = tmp_path / "x.json"
  if data is not None:
    path.write_bytes(data)
  with pytest.raises(UsageError, match=f"{path}: {message}"):
    strict_json.read(path)


def test_a_file_without_end_is_refused(tmp_path, monkeypatch):
  monkeypatch.setattr(strict_json, "MOST_BYTES", 1000)
  (tmp_path / "x").symlink_to("/dev/zero")
  with pytest.raises(UsageError, match="has more than 1000 bytes"):
    strict_json.read(tmp_path / "x")


def test_a_message_is_one_short_line_that_every_terminal_shows():
  text = str(
    UsageError(f"file: \x1b[2J\r\n\ud800\u202e{'x' * 10**6}: must be y")
  )
  assert text.startswith("file: \\x1b[2J\\r\\n\\ud800\\u202exxx")
  assert text.endswith("xxx: must be y")
  assert len(text) <= 2000 and text.isprintable()
  assert str(UsageError("é – ‘“ are signs")) == "é – ‘“ are signs"


def test_a_value_is_shown_short():
  deep: list = []
  for _ in range(10**4):
    deep = [deep]
  assert short(deep) == "[[[[...]]]]"
  assert len(short("x" * 1000)) <= 80 and len(short([[1] * 99] * 99)) <= 80
  assert short({"a": True}) == "{'a': True}"


@pytest.mark.parametrize(
  "name", ["a", "a=1-seed0", "é", "...", "-x", "x" * 255]
)
def test_a_file_name_may_be_one(name):
  assert strict_json.is_file_name(name)


@pytest.mark.parametrize(
  "name", ["", ".", "..", "a/b", "/a", "a\\b", "a\0", "é" * 128]
)
def test_a_name_that_leads_elsewhere_is_none(name):
  assert not strict_json.is_file_name(name)
