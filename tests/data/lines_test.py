import gzip
import json

import pytest

from lm_jax.commands import generate
from lm_jax.data import lines
from lm_jax.examples import collection, labelled, python_source
from lm_jax.retrieval import queries, trec
from lm_jax.support.errors import UsageError

# What Python's splitlines cuts at, and what its split takes for white space.
ODD = "\u2028\u2029\x85\x0b\x0c\x1c\u00a0\u3000"


@pytest.mark.parametrize("end", ["", ".gz"])
def test_lines_end_with_newlines_alone(tmp_path, end):
  path = tmp_path / f"a.txt{end}"
  text = f"\ufeffa{ODD}b\r\n\n\ufeffc\rd\r\r\nlast{ODD}"
  opener = gzip.open if end else open
  with opener(path, "wb") as file:
    file.write(text.encode())
  found = [line for _, line in lines.texts(path)]
  assert found == [f"a{ODD}b", "", "c\rd\r", f"last{ODD}"]
  places = [where for where, _ in lines.texts(path)]
  assert places[-1] == f"{path}, line 4"


def test_words_are_parted_by_blanks_and_tabs_alone():
  assert lines.words(f" a{ODD}b \t c\t") == [f"a{ODD}b", "c"]
  assert lines.words(" \t") == []
  assert lines.is_word(f"a{ODD}b")
  assert not any(map(lines.is_word, ("", "a b", " a", "a\tb", "a\nb", "a\r")))


def test_halves_of_surrogate_pairs_are_named():
  good = '{"text": "\\ud83d\\ude00 \\\\ud800"}'
  assert lines.parsed(good.encode(), "x") == {"text": "😀 \\ud800"}
  for text in ("\\ud83d", "\\ude00", "a \\uD83D b", "\\ude00\\ud83d"):
    data = ("\n\n" + json.dumps("TEXT").replace("TEXT", text)).encode()
    message = "half of a surrogate pair and no character"
    with pytest.raises(UsageError, match=f"^x: .*{message}"):
      lines.parsed(data, "x")
    with pytest.raises(UsageError, match=f"^x, line 3: .*{message}"):
      lines.parsed(data, "x", whole=True)


def test_half_a_surrogate_in_a_tasks_data(tmp_path):
  path = tmp_path / "train.jsonl"
  path.write_text('{"text": "a", "label": 0}\n{"text": "\\ud800", "label": 1}')
  form = labelled.Form(fields={"text": ("text",)}, labels=("a", "b"))
  with pytest.raises(UsageError, match=r"train\.jsonl, line 2: .* surrogate"):
    labelled.from_path(form, path)


def test_prompts_pair_with_the_lines_of_their_file(tmp_path):
  path = tmp_path / "a.txt"
  path.write_bytes(f"\ufeffone{ODD}still one\r\n\ntwo\n".encode())
  assert generate._of_file(path) == [f"one{ODD}still one", "", "two"]
  path = tmp_path / "a.jsonl"
  path.write_bytes(f'\ufeff"one{ODD[:1]}still one"\n\n"two"\n'.encode())
  assert generate._of_file(path) == [f"one{ODD[:1]}still one", "two"]
  path.write_text('"a"\n"\\udc00"\n')
  with pytest.raises(UsageError, match=r"--prompts=.*, line 2: .*surrogate"):
    generate._of_file(path)


def test_queries_have_the_numbers_of_their_lines(tmp_path):
  path = tmp_path / "queries.txt"
  path.write_bytes(f"\ufefffirst{ODD}still\n\nthird\r\n".encode())
  none = collection.from_texts("none", {})
  found = queries.read(["typed"], str(path), none, "--collection=x")
  assert found.texts == {"1": "typed", "2": f"first{ODD}still", "4": "third"}


def test_judgements_and_runs_keep_odd_ids(tmp_path):
  run = {f"q{ODD}1": {f"d{ODD}1": 2.0, "d2": 1.0}}
  path = tmp_path / "run"
  path.write_text(trec.content(run, "tag"))
  path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
  assert trec.read(path) == run
  for name, records in (
    ("docs", [{"id": f"d{ODD}1", "text": "a"}, {"id": "d2", "text": "b"}]),
    ("queries", [{"id": f"q{ODD}1", "text": "a"}]),
  ):
    text = "".join(json.dumps(record) + "\n" for record in records)
    (tmp_path / f"{name}.jsonl").write_text(text)
  found = collection.read(str(tmp_path), "--collection=x")
  assert list(found.documents) == [f"d{ODD}1", "d2"]
  path = tmp_path / "test.tsv"
  path.write_bytes(
    f"\ufeffquery-id\tcorpus-id\tscore\r\nq{ODD}1\td{ODD}1\t1\r\n".encode()
  )
  triples = list(collection._tsv_triples(path))
  assert [triple[1:] for triple in triples] == [(f"q{ODD}1", f"d{ODD}1", "1")]


def test_a_hole_in_source_with_form_feeds(tmp_path):
  """Lines are those that `ast` counts."""
  body = "\n".join(f"  size_{i} = width * height + {i}" for i in range(4))
  source = (
    f'NAME = "a\u2028b"\n\x0c\n# {ODD}\n\x0c\ndef area(width, height):\n'
    f"{body}\n  return size_0\n\x0c\nAFTER = 1\n"
  )
  (tmp_path / "m.py").write_bytes(b"\xef\xbb\xbf" + source.encode())
  for seed in range(5):
    (hole,) = python_source.holes(str(tmp_path), "F", 1, seed)
    assert hole.before.startswith("def area(width, height):\n")
    whole = hole.before + hole.line + hole.after
    assert whole == f"def area(width, height):\n{body}\n  return size_0"
    number = int(hole.id.partition(":")[2])
    assert source.split("\n")[number - 1].strip() == hole.line


def test_python_files_are_read_once(tmp_path):
  text = "def f(a):\n  b = a + 12345\n  c = b + 12345\n  return b + c\n"
  (tmp_path / "m.py").write_text(text)
  (tmp_path / "n.py").symlink_to(tmp_path / "m.py")
  (tmp_path / "itself").symlink_to(tmp_path)
  assert len(python_source.holes(str(tmp_path), "F", 9, 0)) == 1
