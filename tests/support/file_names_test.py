"""File names of texts in any script."""

import pathlib

from lm_jax.support import file_names


def test_letters_of_every_script_stay():
  for text in ("诗词", "日本語", "हिन्दी", "ไทย", "कि", "größer", "a=1.5"):
    assert file_names.safe(text) == text
  assert file_names.safe("../x") == "_x"
  assert file_names.safe("/语 料/维基.jsonl") == "_语_料_维基.jsonl"
  assert file_names.safe("a\u202eb\x1b\0c\ud800") == "a_b_c_"
  assert file_names.safe("...") == "_"
  # One name however it is typed.
  assert file_names.safe("e\u0301") == file_names.safe("\u00e9") == "\u00e9"


def test_long_names_fit_file_systems(tmp_path):
  names = [file_names.safe(sign * 300) for sign in ("诗", "é", "x", "𠀀")]
  for name in [*names, file_names.safe("诗" * 300 + "1")]:
    assert len(name.encode()) <= 200
    (tmp_path / f"{name}-seed123.partial").mkdir()
  # As before, to the letter.
  assert names[2] == file_names.former("x" * 300)
  assert names[2].startswith("x" * 191 + "-") and len(names[2]) == 200


def test_no_two_texts_have_one_name():
  texts = ["a b", "a/b", "诗 词", "诗/词", "x"]
  names = file_names.distinct(texts)
  assert list(names) == texts and len(set(names.values())) == 5
  assert names["x"] == "x" and names["诗 词"].startswith("诗_词-")
  assert file_names.distinct(["a b"]) == {"a b": "a_b"}


def test_names_in_a_folder_stay(tmp_path: pathlib.Path):
  assert file_names.in_folder(tmp_path, "诗词") == "诗词"
  (tmp_path / "_").mkdir()
  assert file_names.in_folder(tmp_path, "诗词") == "_"
  (tmp_path / "诗词").mkdir()
  assert file_names.in_folder(tmp_path, "诗词") == "诗词"
