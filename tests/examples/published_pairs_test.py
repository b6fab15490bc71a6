"""Sets of minimal pairs in the files and fields they are published in."""

import gzip
import io
import json
import tarfile

import numpy as np
import pytest

from lm_jax.examples import published_pairs
from lm_jax.support.errors import UsageError
from lm_jax.tasks import _linking, blimp

# One own line in the fields of each set.
SETS = {
  "blimp": {
    "sentence_good": "g",
    "sentence_bad": "b",
    "field": "syntax",
    "linguistics_term": "island",
    "UID": "wh",
    "pairID": "3",
  },
  "zhoblimp": {
    "UID": "BA",
    "phenomenon": "BA",
    "sentence_good": "好",
    "sentence_bad": "坏",
    "pairID": 0,
  },
  "sling": {
    "sentence_good": "好",
    "sentence_bad": "坏",
    "phenomenon": "Aspect",
    "paradigm": "zai_le",
    "pair_ID": 7,
    "field": "syntax",
  },
  "sling, some files": {
    "sentence_good": "好",
    "sentence_bad": "坏",
    "Phenomenon": "Anaphor",
    "Paradigm": "animacy",
    "pair_ID": 1,
    "field": "syntax",
  },
  "jblimp": {
    "ID": 0,
    "good_sentence": "良",
    "bad_sentence": "悪",
    "phenomenon": "island effects",
    "phenomenon-2": None,
    "paradigm": "adjunct island",
  },
}
GROUPS = {
  "blimp": ("wh/3", "field/syntax", "term/island", "uid/wh"),
  "zhoblimp": ("BA/0", "term/BA", "uid/BA"),
  "sling": ("zai_le/7", "field/syntax", "term/Aspect", "uid/zai_le"),
  "sling, some files": (
    *("animacy/1", "field/syntax", "term/Anaphor", "uid/animacy"),
  ),
  "jblimp": (
    *("adjunct island/0", "term/island effects", "uid/adjunct island"),
  ),
}
RUBLIMP = (
  "id,source_sentence,target_sentence,level,phenomenon,PID\n"
  '9,"Да, год.","Да, годы.",Semantics,Tense,tense_marker\n'
)
TURBLIMP = "good_sentence;bad_sentence;phenomenon\niyi;kötü, çok;binding\n"
MULTIBLIMP = "sen\twrong_sen\tphenomenon\ngut\tschlecht\tSV-#\n"


def read(path):
  return published_pairs.read(str(path), f"--task_data=blimp={path}")


def line(name):
  return json.dumps(SETS[name], ensure_ascii=False) + "\n"


@pytest.mark.parametrize("name", SETS)
def test_json_lines_are_read_in_their_own_fields(tmp_path, name):
  path = tmp_path / "pairs.jsonl"
  path.write_text(line(name), "utf-8")
  [pair] = read(path)
  assert (pair.id, *pair.groups) == GROUPS[name]
  values = list(SETS[name].values())
  assert {pair.good, pair.bad} <= set(values)
  assert values.index(pair.good) < values.index(pair.bad)


@pytest.mark.parametrize(
  ("text", "name", "expected"),
  [
    (
      RUBLIMP,
      "tense.csv",
      ("tense_marker/9", "Да, год.", "Да, годы.", "uid/tense_marker"),
    ),
    # A paradigm without a name has that of its file.
    (TURBLIMP, "b_OVS.csv", ("b_OVS/2", "iyi", "kötü, çok", "uid/b_OVS")),
    (MULTIBLIMP, "deu.tsv", ("deu/2", "gut", "schlecht", "uid/deu")),
  ],
)
def test_tables_are_read(tmp_path, text, name, expected):
  path = tmp_path / name
  path.write_text(text, "utf-8")
  [pair] = read(path)
  assert (pair.id, pair.good, pair.bad, pair.groups[-1]) == expected
  zipped = tmp_path / f"{name}.gz"
  zipped.write_bytes(gzip.compress(path.read_bytes()))
  assert read(zipped) == [pair]


def archive(path, members):
  with tarfile.open(path, "w:gz") as tar:
    for name, text in members.items():
      data = text.encode()
      info = tarfile.TarInfo(name)
      info.size = len(data)
      tar.addfile(info, io.BytesIO(data))


def test_an_archive_is_read_without_unpacking(tmp_path):
  path = tmp_path / "z.tar.gz"
  members = {"z/b.jsonl": line("zhoblimp"), "z/a.jsonl": line("sling")}
  archive(path, members | {"z/README.md": "x", "z/._a.jsonl": "rubbish"})
  assert [pair.id for pair in read(path)] == ["zai_le/7", "BA/0"]
  archive(path, {"README": "x"})
  with pytest.raises(UsageError, match=r"no \.jsonl"):
    read(path)
  path.write_bytes(b"no archive")
  with pytest.raises(UsageError, match="is no archive"):
    read(path)


def test_paradigms_of_one_name_in_two_files_stay_apart(tmp_path):
  for folder in ("Plural", "Gender"):
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "base.jsonl").write_text(line("sling"), "utf-8")
  pairs = read(tmp_path)
  assert [pair.id for pair in pairs] == ["Gender/base/7", "Plural/base/7"]
  assert [pair.groups[-1] for pair in pairs] == [
    "uid/Gender/base",
    "uid/Plural/base",
  ]


def test_a_folder_with_json_lines_has_no_tables(tmp_path):
  (tmp_path / "v.jsonl").write_text(line("jblimp"), "utf-8")
  (tmp_path / "raw.csv").write_text(TURBLIMP, "utf-8")
  assert len(read(tmp_path)) == 1


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("good_sentence;bad_sentence\na\n", "line 2: must have 2 cells"),
    ("good_sentence;bad_sentence\na;\n", "line 2: no field 'bad'"),
    ("good_sentence;bad_sentence\n", "is empty"),
  ],
)
def test_a_bad_table_is_refused_with_its_line(tmp_path, text, message):
  path = tmp_path / "x.csv"
  path.write_text(text)
  with pytest.raises(UsageError, match=message):
    read(path)


def test_links_are_those_of_the_papers():
  sums, lengths = np.array([-12.0, -9.0]), [16, 9]
  assert _linking.linked(sums, lengths, "sum").tolist() == [-12.0, -9.0]
  assert _linking.linked(sums, lengths, "mean").tolist() == [-0.75, -1.0]
  assert _linking.linked(sums, lengths, "slln").tolist() == [-3.0, -3.0]


class Model:
  """Scores a character -1; a token is a character, two stand around."""

  scoring = "log_likelihood"

  class spec:
    length = 8

    class specials:
      before, after = (1,), (2,)

  def text_scores(self, texts):
    return np.array([-float(len(text)) for text in texts])

  def text_lengths(self, texts):
    return np.array([len(text) + 2 for text in texts])


@pytest.mark.parametrize(("link", "right"), [("sum", 0), ("mean", 0.5)])
def test_a_link_takes_the_bias_from_length(tmp_path, link, right):
  path = tmp_path / "p.jsonl"
  own = SETS["sling"] | {"sentence_good": "long", "sentence_bad": "no"}
  path.write_text(json.dumps(own))
  task = blimp.Blimp()
  task.place, task.link = str(path), link
  measure = task.measure(Model(), None)
  assert measure.metrics["blimp"] == right
  assert measure.scoring == (
    "" if link == "sum" else "log_likelihood, linked by mean"
  )


def test_pairs_that_fit_no_row_are_left_out_where_that_is_asked(tmp_path):
  path = tmp_path / "p.jsonl"
  long = SETS["sling"] | {"sentence_good": "too long"}
  path.write_text(json.dumps(long) + "\n" + line("sling"))
  task = blimp.Blimp()
  task.place, task.only_fitting = str(path), True
  assert task.measure(Model(), None).metrics["blimp/items"] == 1
