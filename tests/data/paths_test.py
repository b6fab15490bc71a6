import glob
import os
import random

import pytest

from lm_jax.data import formats, paths


def test_it_finds_what_glob_finds(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  rng = random.Random(0)
  folders = ["."]
  for number in range(30):
    name = rng.choice([*"abababab", "[x]", "c*", ".hidden"]) + str(number)
    folders.append(os.path.join(rng.choice(folders), name))
    os.mkdir(folders[-1])
  for _ in range(60):
    name = rng.choice(["t.txt", "u.jsonl", ".t.txt"])
    with open(os.path.join(rng.choice(folders), name), "w"):
      pass
  root = glob.escape(str(tmp_path))
  for pattern in (
    *("**/*.txt", "**", "*", "**/a*/*.txt", "**/a*/**/*.txt", "**/*/", "none"),
    *("[[]x]*/**", "b*/**/t.txt", f"{root}/**/*", f"{root}/*/*.txt"),
  ):
    wanted = {
      n for n in glob.glob(pattern, recursive=True) if os.path.isfile(n)
    }
    assert paths.expand(pattern) == sorted(wanted), pattern
  assert len(paths.expand(str(tmp_path))) > 10


@pytest.mark.parametrize("pattern", ["", "/**/*.txt", "/**"])
def test_each_file_once_whatever_links_there_are(tmp_path, pattern):
  inner = tmp_path / "inner"
  inner.mkdir()
  for folder in (tmp_path, inner):
    (folder / "a.txt").write_text(f"A text in {folder.name}.")
    # Two of them: to follow both 40 deep would take for ever.
    (folder / "itself").symlink_to(folder)
    (folder / "top").symlink_to(tmp_path)
  (tmp_path / "b.txt").symlink_to(inner / "a.txt")
  os.link(inner / "a.txt", tmp_path / "c.txt")
  (tmp_path / "gone.txt").symlink_to(tmp_path / "nothing.txt")
  (tmp_path / "another").symlink_to(inner)
  found = formats.find(str(tmp_path) + pattern)
  assert [path.name for path in found] == ["a.txt", "b.txt"]
  texts = [text for _, text in formats.read(found, "text", "strict")]
  assert len(set(texts)) == 2
