"""Processes that tests start."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]


def run(*words, **options):
  """Runs a program at the root of the repository; its output is kept as text.

  options: of subprocess.run.
  """
  usual = {"cwd": ROOT, "capture_output": True, "text": True, "check": False}
  return subprocess.run(words, **usual | options)


def python(*words, **options):
  """Runs Python with arguments, as `run`."""
  return run(sys.executable, *words, **options)
