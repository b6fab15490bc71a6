"""What killed writers left is removed by the next, and nothing else is."""

import os
import subprocess
import sys

import foreign_model

from lm_jax.commands import export as export_lib
from lm_jax.storage import litter, log

_HOLDER = """
import sys, time, pathlib
from lm_jax.storage import litter
with litter.held(pathlib.Path(sys.argv[1])):
  print("held", flush=True)
  time.sleep(60)
"""


def aged(path):
  """Makes it as old as what a writer of yesterday left."""
  os.utime(path, (1e9, 1e9))
  return path


def left(path, text="half"):
  path.write_text(text)
  return aged(path)


def test_the_next_writer_of_a_file_sweeps(tmp_path):
  path = tmp_path / "result.json"
  dead = left(tmp_path / ".result.json.4194304")
  others = [
    left(tmp_path / name)
    for name in (".result.json.bak", ".experiment.json.7", "result.json.7")
  ]
  fresh = tmp_path / ".result.json.4194305"  # of a writer at work
  fresh.write_text("half")
  log.write_atomically(path, "whole")
  assert path.read_text() == "whole" and not dead.exists()
  assert fresh.exists() and all(map(os.path.exists, others))


def test_what_is_held_stays_until_its_writer_is_killed(tmp_path):
  path = left(tmp_path / ".result.json.4194304")
  child = subprocess.Popen(
    [sys.executable, "-c", _HOLDER, str(path)], stdout=subprocess.PIPE
  )
  try:
    assert child.stdout.readline() == b"held\n"
    log.write_atomically(tmp_path / "result.json", "1")
    assert path.exists()
  finally:
    child.kill()
    child.wait()
    child.stdout.close()
  log.write_atomically(tmp_path / "result.json", "2")
  assert not path.exists()


def test_the_next_export_sweeps(tmp_path):
  theirs, to = tmp_path / "theirs", tmp_path / "x"
  foreign_model.build(theirs)
  folders = {}
  for name, inside in [
    (".x-dead0001.partial", "whole"),
    (".y-dead0002.partial", "whole"),
    (".x-busy0003.partial", "whole"),
    (".x-else0004.partial", "of a user"),
  ]:
    folders[name] = tmp_path / name
    (folders[name] / inside).mkdir(parents=True)
    (folders[name] / inside / "model.safetensors").write_text("half")
    aged(folders[name])
  with litter.held(folders[".x-busy0003.partial"]):
    export_lib.main(export_lib.Flags(str(theirs), str(to)))
  assert {x.name for x in tmp_path.glob(".*")} == {
    ".x-busy0003.partial",
    ".x-else0004.partial",
  }
  assert (to / "model.safetensors").exists()
