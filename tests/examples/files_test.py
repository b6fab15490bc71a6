import gzip

import pytest

from lm_jax.data import lines
from lm_jax.examples import files
from lm_jax.examples.files import DEV, TEST, TRAIN
from lm_jax.support.errors import UsageError

READERS = {".txt": lambda path: [text for _, text in lines.texts(path)]}


def read(place, split, **kwargs):
  return files.read(str(place), "--task_data=x", split, READERS, **kwargs)


def test_a_directory_a_prefix_and_other_names(tmp_path):
  (tmp_path / "a_train.txt").write_text("1\n")
  (tmp_path / "a_val.txt").write_text("2\n")
  with gzip.open(tmp_path / "a_test.txt.gz", "wt") as file:
    file.write("3\n")
  (tmp_path / "test-2009.txt").write_text("4\n")
  prefix = tmp_path / "a"
  assert [read(prefix, x) for x in (TRAIN, DEV, TEST)] == [["1"], ["2"], ["3"]]
  names = {TEST: ("test-2009",)}
  assert read(tmp_path, TEST, names=names) == ["4"]
  assert read(tmp_path, TRAIN, names=names) == []


def test_dev_stands_in_for_test_and_is_not_both(tmp_path):
  (tmp_path / "dev.txt").write_text("2\n")
  assert read(tmp_path, TEST) == ["2"]
  assert read(tmp_path, DEV) == []


def test_one_file_is_cut_in_three_or_is_one_split(tmp_path):
  path = tmp_path / "all.txt"
  path.write_text("".join(f"{i}\n" for i in range(30)))
  parts = [read(path, split) for split in (TRAIN, DEV, TEST)]
  assert [len(part) for part in parts] == [24, 3, 3]
  every = list(map(str, range(30)))
  assert [x for part in parts for x in part] == every
  assert read(path, TEST, whole=TEST) == every
  assert read(path, TRAIN, whole=TEST) == []


def test_what_is_not_there_or_empty_or_of_no_form(tmp_path):
  with pytest.raises(UsageError, match=r"x=.*/a: no such file; tried .*_test"):
    read(tmp_path / "a", TEST)
  # To learn from nothing is no way to be told of a wrong path.
  with pytest.raises(UsageError, match=r"x=.*/a: no such file; tried .*_train"):
    read(tmp_path / "a", TRAIN)
  (tmp_path / "c_train.txt").write_text("1\n")
  with pytest.raises(UsageError, match=r"no such file; tried .*c_test\.txt"):
    read(tmp_path / "c", TEST)
  (tmp_path / "test.txt").write_text("")
  with pytest.raises(UsageError, match=r"test\.txt: is empty"):
    read(tmp_path, TEST)
  (tmp_path / "b.bin").write_text("x")
  with pytest.raises(UsageError, match=r"b\.bin: must end with \.txt"):
    read(tmp_path / "b.bin", TEST)
