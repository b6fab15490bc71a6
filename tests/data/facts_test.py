import json

import pytest

from lm_jax.data import rows
from lm_jax.errors import UsageError


@pytest.fixture
def entry(tiny, tmp_path):
  """An entry of rows in a cache of its own, and how to load it again."""
  options = tiny.data(cache=str(tmp_path))
  rows.load(options, 32)
  (folder,) = (path.parent for path in tmp_path.glob("rows/*/facts.json"))
  return folder, lambda: rows.load(options, 32)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"rows": {"train": 2**40, "validation": 1, "test": 1}}, "train.rows has"),
    ({"rows": {"train": 10**400, "validation": 1, "test": 1}}, "train.rows"),
    ({"rows": {"train": -1, "validation": 1, "test": 1}}, "rows of train=-1"),
    ({"rows": {"train": True, "validation": 1, "test": 1}}, "train=True"),
    ({"rows": {"train": 1}}, "rows="),
    ({"rows": None}, "rows=None"),
    ({"length": 64}, "train.rows has"),
    ({"length": 0}, "length or dtype"),
    ({"length": "32"}, "length or dtype"),
    ({"dtype": "int32"}, "train.rows has"),
    ({"dtype": "O"}, "length or dtype"),
    ({"fingerprint": 3}, "fingerprint"),
  ],
)
def test_facts_that_the_files_do_not_bear_out(entry, change, message):
  folder, load = entry
  path = folder / "facts.json"
  path.write_text(json.dumps(json.loads(path.read_text()) | change))
  with pytest.raises(UsageError, match=rf"{folder}: is damaged: .*{message}"):
    load()


@pytest.mark.parametrize("text", ["", "[]", "[" * 10**5, '{"rows": NaN}', "\0"])
def test_facts_that_are_none(entry, text):
  folder, load = entry
  (folder / "facts.json").write_text(text)
  with pytest.raises(UsageError, match=str(folder)):
    load()


@pytest.mark.parametrize("name", ["train.rows", "test.bytes"])
@pytest.mark.parametrize("how", ["cut", "longer", "gone"])
def test_a_file_of_another_length_is_named_with_what_to_do(entry, name, how):
  folder, load = entry
  path = folder / name
  if how == "gone":
    path.unlink()
  else:
    data = path.read_bytes()
    path.write_bytes(data[:-1] if how == "cut" else data + b"\0")
  with pytest.raises(
    UsageError, match=rf"{name} has .*remove it, and it is ma"
  ):
    load()
