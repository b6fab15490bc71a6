import json
import zlib

import pytest

from lm_jax.data import rows
from lm_jax.support.errors import UsageError


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
    ({"train.rows": 2**40}, "train.bytes has"),
    ({"train.rows": 10**400}, "rows of train=1000"),
    ({"train.rows": -1}, "rows of train=-1"),
    ({"train.rows": True}, "rows: True: must be a whole number"),
    ({"train.rows": None}, "rows: None: must be a whole number"),
    ({"train.tokens": "3"}, "tokens: '3': must be a whole number"),
    ({"train.more": 3}, "not what was written"),
    ({"splits": {"train": {}}}, "splits, train: has no rows"),
    ({"splits": {}}, "the names of the splits"),
    ({"checks": {}}, "the names of the splits"),
    ({"splits": None}, "splits: None: must be an object"),
    ({"shard_rows": 1}, "train-00000.rows has"),
    ({"shard_rows": 0}, "shard_rows=0"),
    ({"length": 64}, "train-00000.rows has"),
    ({"length": 0}, "length=0"),
    ({"length": "32"}, "length: '32': must be a whole number"),
    ({"dtype": "int32"}, "train-00000.rows has"),
    ({"dtype": "O"}, "dtype: 'O': must be one of uint16, int32"),
  ],
)
def test_facts_that_the_files_do_not_bear_out(entry, change, message):
  folder, load = entry
  path = folder / "facts.json"
  facts = json.loads(path.read_text())
  for name, value in change.items():
    split, _, what = name.partition(".")
    if what:
      facts["splits"][split][what] = value
    else:
      facts[name] = value
  del facts["check"]
  text = json.dumps(facts, sort_keys=True)
  facts["check"] = zlib.crc32(text.encode())
  path.write_text(json.dumps(facts))
  with pytest.raises(UsageError, match=rf"{folder}: is damaged: .*{message}"):
    load()


@pytest.mark.parametrize("text", ["", "[]", "[" * 10**5, '{"rows": NaN}', "\0"])
def test_facts_that_are_none(entry, text):
  folder, load = entry
  (folder / "facts.json").write_text(text)
  with pytest.raises(UsageError, match=f"{folder}: .*remove it, and it is ma"):
    load()


@pytest.mark.parametrize("name", ["train-00000.rows", "test.bytes"])
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
