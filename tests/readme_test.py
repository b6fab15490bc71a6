"""The commands that the README shows."""

import pathlib
import re
import shlex

import pytest

from lm_jax import cli

README = pathlib.Path(__file__).parents[1] / "README.md"


def commands():
  """Each command of an indented block, its continuation lines joined."""
  text = README.read_text().replace("\\\n", " ")
  found = re.findall(r"^ {4}.*?python launch\.py(.*)$", text, re.MULTILINE)
  return [shlex.split(line, comments=True) for line in found]


def test_there_are_commands():
  assert {"train", "import", "export", "compare", "evaluate"} <= {
    words[0] for words in commands() if words
  }


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_and_its_flags_are_known(words, capsys):
  command = words[0] if words and not words[0].startswith("-") else "compare"
  assert cli.main([command, "--help"]) == 0
  known = re.findall(r"--([\w.]+)", capsys.readouterr().out)
  flags = [w[2:].partition("=")[0] for w in words if w.startswith("--")]
  assert set(flags) <= set(known)
