import re
import subprocess

from lm_jax.storage import code


def test_the_commit_is_that_of_the_code(monkeypatch):
  found = code.commit()
  assert re.fullmatch(r"([0-9a-f]{40,64}\+?)?", found)


def test_nothing_fails_without_git(monkeypatch, tmp_path):
  for program in (
    "exit 1",  # as git of a folder that it does not trust
    "",  # says nothing
  ):
    (tmp_path / "git").write_text(f"#!/bin/sh\n{program}\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert code.commit.__wrapped__() == ""
  monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
  assert code.commit.__wrapped__() == ""


def test_a_commit_and_what_was_changed_since(monkeypatch, tmp_path):
  package = tmp_path / "lm_jax" / "storage"
  package.mkdir(parents=True)
  own = package / "code.py"
  own.write_text("")
  monkeypatch.setattr(code, "__file__", str(own))
  assert code.commit.__wrapped__() == ""

  def git(*words):
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    command = ["git", "-C", str(tmp_path), *who, *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip()

  git("init", "-q")
  git("add", ".")
  git("commit", "-q", "-m", "x")
  head = git("rev-parse", "HEAD")
  assert code.commit.__wrapped__() == head
  own.write_text("changed")
  assert code.commit.__wrapped__() == f"{head}+"
