"""Commands as a user calls them, and data for them."""

import json

import pytest

from lm_jax import cli


@pytest.fixture
def command(capsys):
  """A function from a command's words to exit code, output and errors."""

  def call(*words):
    code = cli.main([*map(str, words)])
    out, err = capsys.readouterr()
    return code, out, err

  return call


@pytest.fixture
def refused(command):
  """A function that requires a command to end with one line of error."""

  def call(words, message):
    code, out, error = command(*words)
    assert code == 2 and not out and error.count("\n") == 1
    assert message in error, error
    return error

  return call


@pytest.fixture(scope="session")
def write_labelled():
  """A function that writes `count` examples of two labels to a file."""

  def write(path, count, text="{word} {i}"):
    lines = [
      {"text": text.format(word="my" if i % 2 else "we", i=i), "label": i % 2}
      for i in range(count)
    ]
    path.write_text("\n".join(map(json.dumps, lines)))

  return write
