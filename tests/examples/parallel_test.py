import gzip

import pytest
from json_lines import write

from lm_jax.examples import parallel
from lm_jax.examples.labelled import DEV, TEST, TRAIN
from lm_jax.examples.parallel import Place
from lm_jax.support.errors import UsageError

RECORDS = [
  {"en": "a dog", "de": "ein Hund", "fr": "un chien"},
  {"en": "a cat", "de": "", "fr": "un chat"},
]


def read(place, split=TEST, default=(("en", "de"),)):
  found = Place.parse(str(place), default)
  return parallel.read(found, "--task_data=x", split, {})


def told(examples):
  return [
    (x.id, x.source, *x.references, f"{x.source_language}-{x.target_language}")
    for x in examples
  ]


@pytest.mark.parametrize(
  ("given", "path", "pairs"),
  [
    ("a/b", "a/b", (("x", "y"),)),
    ("a/b:en-de", "a/b", (("en", "de"),)),
    ("wmt16_translate/de-en", "wmt16_translate/de-en", (("x", "y"),)),
    ("a:b/c:en-zh_CN,de-en,en-zh_CN", "a:b/c", (("en", "zh_CN"), ("de", "en"))),
    ("", "", (("x", "y"),)),
    ("a:en-zh-CN,zh-Hant-TW-en", "a", (("en", "zh-CN"), ("zh-Hant-TW", "en"))),
    ("a:pt-BR-es-419", "a", (("pt-BR", "es-419"),)),
    ("a:eng_Latn-zho_Hans", "a", (("eng_Latn", "zho_Hans"),)),
    ("a:en--zh-cn", "a", (("en", "zh-cn"),)),
    ("a/2020-01-02:b/c-d-e.jsonl", "a/2020-01-02:b/c-d-e.jsonl", (("x", "y"),)),
  ],
)
def test_where_and_from_what_into_what(given, path, pairs):
  assert Place.parse(given, (("x", "y"),)) == (path, pairs)


def test_hyphens_that_tell_nothing_are_refused():
  with pytest.raises(UsageError, match="write en--zh-cn"):
    Place.parse("a:en-zh-cn")


def test_languages_with_hyphens_are_fields_and_files(tmp_path):
  write(tmp_path / "a_test.jsonl", [{"en": "a dog", "zh-CN": "一只狗"}])
  assert told(read(f"{tmp_path}/a:en-zh-CN")) == [
    ("1", "a dog", "一只狗", "en-zh-CN")
  ]
  (tmp_path / "b_test.zh-CN").write_text("一只狗\n", "utf-8")
  (tmp_path / "b_test.en").write_text("a dog\n", "utf-8")
  for pair in ("en-zh-CN", "zh-CN-en"):
    [example] = read(f"{tmp_path}/b:{pair}")
    assert {example.source, *example.references} == {"a dog", "一只狗"}


def test_columns_of_jsonl(tmp_path):
  write(tmp_path / "a_test.jsonl", RECORDS)
  write(tmp_path / "a_train.jsonl", [{"translation": x} for x in RECORDS])
  assert told(read(tmp_path / "a")) == [
    ("1", "a dog", "ein Hund", "en-de"),
    ("2", "a cat", "", "en-de"),
  ]
  # What has no text in a language is not learnt from.
  assert told(read(tmp_path / "a", TRAIN)) == [
    ("1", "a dog", "ein Hund", "en-de")
  ]
  assert told(read(f"{tmp_path}/a:fr-de,de-en"))[:2] == [
    ("1 fr-de", "un chien", "ein Hund", "fr-de"),
    ("1 de-en", "ein Hund", "a dog", "de-en"),
  ]


def test_files_side_by_side(tmp_path):
  for code in ("en", "de"):
    with gzip.open(tmp_path / f"test.{code}.gz", "wt") as file:
      file.writelines(f"{x[code]}\n" for x in RECORDS)
  assert told(read(tmp_path)) == told([*read_jsonl(tmp_path / "same", RECORDS)])
  with gzip.open(tmp_path / "test.de.gz", "wt") as file:
    file.write("ein Hund\n")
  message = "differ in lines: test.en has 2, test.de has 1"
  with pytest.raises(UsageError, match=message):
    read(tmp_path)
  (tmp_path / "test.de.gz").unlink()
  with pytest.raises(UsageError, match=r"test\.de\.gz: is not there, beside"):
    read(tmp_path)


def read_jsonl(folder, records):
  folder.mkdir()
  write(folder / "test.jsonl", records)
  return read(folder)


def sentences(path, pairs=()):
  return parallel.tatoeba(path, pairs)


def test_languages_meet_in_english_and_no_sentence_is_in_two_splits(tmp_path):
  path = tmp_path / "t.jsonl"
  records = [
    {"lang": lang, "src": f"{lang} {i} {j}", "eng": f"sentence {i}"}
    for i in range(200)
    for lang in ("deu", "fra")
    for j in range(1 + (lang == "fra" and i == 3))
  ]
  write(path, records)
  every = sentences(path)
  assert len(every) == 200 * 4 + 2 - 1  # one French sentence more, both ways
  by_english = {}
  for split, x in every:
    english = x.source if x.source_language == "eng" else x.references[0]
    by_english.setdefault(english, set()).add(split)
  assert len(by_english) == 200
  assert {len(found) for found in by_english.values()} == {1}
  assert {x for found in by_english.values() for x in found} == {
    *(TRAIN, DEV, TEST)
  }
  both = [x for _, x in sentences(path, (("deu", "fra"),)) if " 3 " in x.source]
  assert told(both) == [
    ("4.0 deu-fra", "deu 3 0", "fra 3 0", "fra 3 1", "deu-fra")
  ]
  with pytest.raises(UsageError, match="no sentence in 'nld'; it has eng, deu"):
    sentences(path, (("nld", "eng"),))
  write(path, [{"lang": "deu", "src": "", "eng": "a"}])
  with pytest.raises(UsageError, match="line 1: lang, src and eng must be"):
    sentences(path)
