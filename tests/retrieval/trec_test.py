"""Runs in files, there and back."""

import pytest

from lm_jax.retrieval import trec
from lm_jax.support.errors import UsageError


def test_a_run_comes_back_with_every_bit(tmp_path):
  run = {"q1": {"a": 0.1 + 0.2, "b": 1e-9}, "q2": {"c": -3.5}}
  path = tmp_path / "run"
  path.write_text(trec.content(run, "dense"))
  assert path.read_text().splitlines()[0] == (
    "q1 Q0 a 1 0.30000000000000004 dense"
  )
  assert trec.read(path) == run


def test_the_score_alone_decides(tmp_path):
  path = tmp_path / "run"
  path.write_text("q Q0 a 1 0.5 x\n\nq Q0 b 2 0.9 x\n")
  assert list(trec.read(path)["q"]) == ["b", "a"]


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("q Q0 a 1 0.5\n", "line 1: has 5 fields"),
    ("q Q0 a 1 high x\n", "line 1: score 'high': must be a number"),
    ("q Q0 a 1 nan x\n", "line 1: score 'nan': must be a number"),
    ("q Q0 a 1 2 x\nq Q0 a 2 1 x\n", "line 2: document 'a': is there twice"),
    ("\n", "is empty"),
  ],
)
def test_what_is_wrong_with_a_line(tmp_path, text, message):
  path = tmp_path / "run"
  path.write_text(text)
  with pytest.raises(UsageError, match=message):
    trec.read(path)


def test_nothing_is_overwritten(tmp_path):
  path = tmp_path / "run"
  path.write_text("")
  with pytest.raises(UsageError, match=r"--run=.*: is there already"):
    trec.require_new(path, "--run")
  with pytest.raises(UsageError, match="is no directory"):
    trec.require_new(tmp_path / "no" / "run", "--run")
