"""Compiled programs on disk that are damaged, or can't be there."""

import os
import pathlib
import shutil
import time

import apart

from lm_jax.devices import program_cache
from lm_jax.devices.program_cache import Programs
from lm_jax.support import machine

# Compiles by the cache of its argument; prints what was compiled anew.
PROGRAM = """
import logging, sys, pathlib, jax
from lm_jax.devices import program_cache
program_cache.enable(pathlib.Path(sys.argv[1]))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
compiled = []
from jax import monitoring
monitoring.register_event_listener(
  lambda name, **_: compiled.append(name) if name.endswith("misses") else None)
assert jax.jit(lambda x: x * 2 + 1)(3.0) == 7
print(len(compiled))
"""


def compiled(root):
  done = apart.python("-c", PROGRAM, root)
  return int(done.stdout), done.stderr


def entries(root):
  folder = root / f"{machine.threads()}-threads"
  return sorted(path for path in folder.iterdir())


def test_a_damaged_program_is_compiled_once_more_and_found_anywhere(tmp_path):
  root = tmp_path / "cache[1]"
  count, said = compiled(root)
  assert count and not said
  first, *_ = entries(root)
  first.write_bytes(first.read_bytes()[:-1])
  count, said = compiled(root)
  assert count == 1
  assert len(said.splitlines()) == 1 and "damaged" in said
  shutil.move(root, tmp_path / "elsewhere")
  assert compiled(tmp_path / "elsewhere") == (0, "")


def test_every_damage_is_seen(tmp_path, warned):
  programs = Programs(str(tmp_path))
  value = bytes(range(256)) * 8
  assert programs.get("a") is None and not warned
  programs.put("a", value)
  assert programs.get("a") == value
  whole = (tmp_path / "a").read_bytes()
  damaged = [b"", whole[:40], whole[:-1], whole + b"x", bytes(len(whole))]
  for place in (0, 31, 32, 1000, len(whole) - 1):
    flipped = bytearray(whole)
    flipped[place] ^= 1
    damaged.append(bytes(flipped))
  for number, data in enumerate(damaged, 1):
    (tmp_path / "a").write_bytes(data)
    assert programs.get("a") is None
    assert len(warned) == number and "damaged" in warned[-1]
    programs.put("a", value)
    assert programs.get("a") == value
  assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_where_nothing_can_be_kept_one_line_is_said(tmp_path, warned):
  file = tmp_path / "file"
  file.write_bytes(b"")
  program_cache.enable(file / "xla")
  program_cache.enable(pathlib.Path("/proc/lm_jax"))
  assert len(warned) == 2
  assert all("compiled programs are not kept in" in line for line in warned)
  programs = Programs(str(tmp_path / "gone"))
  for key in "abc":
    programs.put(key, b"x")
    assert programs.get(key) is None
  assert len(warned) == 3


def test_what_killed_writers_left_is_removed(tmp_path):
  folder = tmp_path / f"{machine.threads()}-threads"
  folder.mkdir()
  old, new = folder / ".1-1.partial", folder / ".2-2.partial"
  for path in (old, new):
    path.write_bytes(b"x")
  os.utime(old, (time.time() - 4000,) * 2)
  program_cache._sweep(folder)
  assert entries(tmp_path) == [new]
