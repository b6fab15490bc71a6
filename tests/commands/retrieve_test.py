"""`launch.py retrieve`, as a user calls it."""

import json
import os
import re

import json_lines
import pytest
import small_collection as small

from lm_jax import cli
from lm_jax.retrieval import trec


@pytest.fixture
def place(tmp_path):
  return small.jsonl(tmp_path)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
  monkeypatch.setenv("LM_JAX_CACHE", str(tmp_path / "cache"))


def retrieve(capsys, *words):
  code = cli.main(["retrieve", *words])
  out, err = capsys.readouterr()
  return code, out, err


def test_a_collection_is_judged_in_a_table(capsys, place):
  code, out, err = retrieve(capsys, f"--collection={place}")
  head, row = out.splitlines()
  assert (code, err) == (0, "")
  assert re.split("  +", head) == [
    *("method", "nDCG@10, %", "RR@10, %", "R@100, %")
  ]
  assert row.split()[0] == "bm25"
  assert float(row.split()[3]) > 80


def test_queries_are_answered_with_documents(capsys, place, tmp_path):
  file = tmp_path / "queries.jsonl"
  json_lines.write(file, [{"id": "x7", "text": "sailing"}, {"text": "salt"}])
  code, out, _ = retrieve(
    capsys,
    f"--collection={place}",
    "--query=the fox",
    f"--queries={file}",
    "--top_k=1",
    "--format=jsonl",
  )
  found = [json.loads(line) for line in out.splitlines()]
  assert code == 0
  assert [x["id"] for x in found] == ["1", "x7", "3"]
  assert [list(x["documents"]) for x in found] == [["d1"], ["d6"], ["d4"]]
  _, out, _ = retrieve(capsys, f"--collection={place}", "--query=the fox")
  assert out.splitlines()[0] == "1: the fox"
  assert out.splitlines()[1].split()[0::2] == ["1", "d1", "red"]


def test_a_written_run_is_judged_alike(capsys, place, tmp_path):
  run = tmp_path / "bm25.run"
  words = (f"--collection={place}", "--measures=AP,nDCG@3")
  _, first, _ = retrieve(capsys, *words, f"--run={run}")
  code, again, _ = retrieve(capsys, *words, f"--judge={run}")
  assert code == 0
  assert again.split()[-2:] == first.split()[-2:]
  _, out, _ = retrieve(capsys, *words, "--format=trec")
  assert out == run.read_text()
  assert set(trec.read(run)) <= set(small.QUERIES)
  code, _, err = retrieve(capsys, *words, f"--run={run}")
  assert code == 2 and "is there already" in err
  run.write_text(run.read_text().replace("d6", "d66"))
  code, _, err = retrieve(capsys, *words, f"--judge={run}")
  assert code == 2 and "document d66: is not in the collection" in err


def test_a_models_index_is_kept_and_stale_ones_are_refused(
  capsys, place, finished, tmp_path
):
  words = (f"--collection={place}", f"--model={finished.workdir}")
  kept = f"--index={tmp_path / 'index'}"
  code, out, _ = retrieve(capsys, *words, "--method=hybrid", kept)
  assert code == 0
  names = [line.split()[0] for line in out.splitlines()]
  assert names == ["method", "dense", "bm25", "hybrid"]
  written = (tmp_path / "index" / "index.faiss").stat().st_mtime_ns
  _, second, _ = retrieve(capsys, *words, kept)
  assert second.splitlines()[1].split() == out.splitlines()[1].split()
  path = tmp_path / "index" / "index.faiss"
  assert path.stat().st_mtime_ns == written
  code, _, err = retrieve(capsys, *words, kept, "--pool=last")
  assert code == 2
  assert "made with pool='mean', and this is pool='last'" in err
  # By default each has a place of its own.
  for pool in ("last", "mean"):
    code, _, _ = retrieve(capsys, *words, f"--pool={pool}", "--query=fox")
    assert code == 0
  folders = [
    x for x in (tmp_path / "cache" / "indices").iterdir() if x.is_dir()
  ]
  assert len(folders) == 2


@pytest.mark.parametrize(
  ("words", "message"),
  [
    ([], "--collection: needed"),
    (["--collection=no"], "--collection=no: no such file; tried no_docs"),
    (["--collection=PLACE", "--method=dense"], "--method=dense: needs --mod"),
    (["--collection=PLACE", "--method=bm25", "--model=x"], "takes none"),
    (["--collection=PLACE", "--query= "], "--query: is empty"),
    (["--collection=PLACE", "--queries=no"], "no: cannot be read"),
    (["--collection=PLACE", "--b=2"], "--b=2: must be 0 to 1"),
    (["--collection=PLACE", "--k1=-1"], "--k1=-1: must be at least 0"),
    (["--collection=PLACE", "--top_k=-1"], "--top_k=-1: must be at least 0"),
    (
      ["--collection=PLACE", "--passages=0"],
      "--passages=0: must be at least 1",
    ),
    (["--collection=PLACE", "--measures=x"], "--measures=x: unknown"),
    (["--collection=PLACE", "--judge=x", "--query=y"], "--query: does not go"),
    (["--collection=PLACE", "--run=no/x"], "no is no directory"),
    (["--collection=PLACE", "--model=no"], "--model=no: not a run"),
    (["--collection=PLACE", "--reader=no", "--query=fox"], "--reader=no: not"),
    (["--collection=PLACE", "--queries=EMPTY"], "holds no query"),
  ],
)
def test_bad_usage(capsys, place, tmp_path, words, message):
  (tmp_path / "empty").write_text("\n")
  swap = {"PLACE": place, "EMPTY": str(tmp_path / "empty")}
  for name, value in swap.items():
    words = [word.replace(name, value) for word in words]
  code, out, err = retrieve(capsys, *words)
  assert (code, out) == (2, "")
  assert err.startswith("lm_jax: ") and len(err.splitlines()) == 1
  assert message in err


def test_answers_are_read_from_what_was_found(
  capsys, place, finished, monkeypatch
):
  from lm_jax.apps import answering
  from lm_jax.apps.answering.base import Answer, Reader

  class Second(Reader):
    def answer(self, question, documents):
      assert question == "fox"
      return Answer(documents[1].title, documents[1].id, 0.5)

  monkeypatch.setattr(answering, "reader", lambda *_: Second())
  words = (
    f"--collection={place}",
    "--query=fox",
    f"--reader={finished.workdir}",
    "--passages=2",
  )
  code, out, _ = retrieve(capsys, *words)
  assert code == 0
  assert out.splitlines() == ["1: fox", "      Boats  [d2]"]
  _, out, _ = retrieve(capsys, *words, "--format=jsonl")
  assert json.loads(out) == {
    "id": "1",
    "query": "fox",
    "text": "Boats",
    "document": "d2",
    "score": 0.5,
  }


def test_a_run_is_written_whole_or_not_at_all(
  capsys, place, tmp_path, monkeypatch
):
  def full(file):
    raise OSError(28, "No space left on device")

  run = tmp_path / "runs" / "bm25.run"
  run.parent.mkdir()
  words = (f"--collection={place}", f"--run={run}")
  with monkeypatch.context() as patch:
    patch.setattr(os, "fsync", full)
    code, _, err = retrieve(capsys, *words)
  assert code == 2 and err.count("\n") == 1
  assert f"--run={run}: can't be written: No space left on device" in err
  assert not list(run.parent.iterdir())
  assert retrieve(capsys, *words)[0] == 0
