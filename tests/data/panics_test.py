"""A panic of the tokenizers library is one line that names the user's file."""

import json
import os
import sys
import threading

import pytest

from lm_jax.data import open_tokenizer, panics
from lm_jax.data.options import DataOptions
from lm_jax.support.errors import UsageError


@pytest.fixture
def endless(tmp_path):
  """A tokenizer.json whose pattern takes too long, as its library says."""
  path = tmp_path / "mine" / "tokenizer.json"
  path.parent.mkdir()
  pattern = {"Regex": "(a+)+$"}
  split = {"type": "Split", "pattern": pattern, "behavior": "Isolated"}
  content = {
    "version": "1.0",
    "added_tokens": [],
    "pre_tokenizer": split | {"invert": False},
    "model": {"type": "WordLevel", "vocab": {"a": 0, "?": 1}, "unk_token": "?"},
  }
  path.write_text(json.dumps(content))
  return path


def test_a_panic_writes_nothing_and_names_the_users_file(
  endless, tmp_path, capfd
):
  options = DataOptions(tokenizer=str(endless), cache=str(tmp_path / "cache"))
  made = open_tokenizer.load_tokenizer(options, None)
  assert str(tmp_path / "cache") in str(made.path)
  with pytest.raises(UsageError) as error:
    made.encode("a" * 40 + "b")
  assert str(endless) in str(error.value)
  assert "cache" not in str(error.value)
  assert made.encode("a") == made.encode("a")
  assert capfd.readouterr().err == ""


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*fork:RuntimeWarning")
def test_a_forked_child_has_its_standard_error(capfd):
  with panics.silence_panics():
    child = os.fork()
    if not child:
      os.write(2, b"child\n")
      os._exit(0)
    os.waitpid(child, 0)
    assert capfd.readouterr().err == "child\n"


def test_what_others_write_meanwhile_comes_later(capfd):
  inside, written = threading.Event(), threading.Event()

  def other():
    with panics.silence_panics():
      inside.set()
      written.wait(10)

  thread = threading.Thread(target=other)
  thread.start()
  inside.wait(10)
  with panics.silence_panics():
    os.write(2, b"told\n")
  assert capfd.readouterr().err == ""  # the other thread is still inside
  written.set()
  thread.join()
  print("after", file=sys.stderr)
  assert capfd.readouterr().err == "told\nafter\n"
