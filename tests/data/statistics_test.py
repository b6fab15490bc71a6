import json

import pytest

from lm_jax import cli


@pytest.fixture
def corpus(tmp_path):
  for name, count in (("a", 60), ("b", 50)):
    # Each text twice: equal ones are in one split.
    texts = [f"Document {i % (count // 2)} é." for i in range(count)]
    lines = [json.dumps({"body": text}) for text in texts]
    (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
  return tmp_path


def _list(capsys, *flags):
  code = cli.main(["list", "corpora", *flags])
  out, err = capsys.readouterr()
  return code, out, err


def _cells(out, split):
  (line,) = [line for line in out.splitlines() if line.startswith(split)]
  return dict(
    zip(
      next(x for x in out.splitlines() if x.startswith("split")).split(),
      line.replace(",", "").split(),
      strict=True,
    )
  )


def _flags(tmp_path, corpus):
  return (
    f"--data.corpus={corpus}",
    "--data.text_key=body",
    "--data.tokenizer=bytes",
    f"--data.cache={tmp_path / 'cache'}",
  )


def test_what_a_corpus_holds(corpus, tmp_path, capsys):
  flags = _flags(tmp_path, corpus / "a.jsonl")
  code, out, _ = _list(capsys, *flags, "--length=32")
  assert code == 0
  assert "rows of 32 tokens" in out
  cells = [_cells(out, split) for split in ("train", "validation", "test")]
  assert sum(int(c["documents"]) for c in cells) == 60
  assert sum(int(c["duplicates"]) for c in cells) == 30
  size = sum(len(f"Document {i % 30} é.".encode()) for i in range(60))
  assert sum(int(c["bytes"]) for c in cells) == size
  # Of the tokenizer "bytes" a byte is a token.
  assert {c["bytes/token"] for c in cells} == {"1.00"}
  assert {c["longest"] for c in cells} == {"15"}
  for c in cells:
    # Every document has a boundary, an end, and a boundary where it is cut.
    rows, documents = int(c["rows"]), int(c["documents"])
    least = int(c["tokens"]) + 2 * documents
    empty = float(c["padding"].rstrip("%")) / 100
    filled = (1 - empty) * 32 * rows
    assert least - 0.01 * rows <= filled < least + rows


def test_the_parts_of_a_mixture(corpus, tmp_path, capsys):
  parts = f"{corpus / 'a.jsonl'}:3,{corpus / 'b.jsonl'}:1"
  code, out, _ = _list(capsys, *_flags(tmp_path, parts), "--length=16")
  assert code == 0
  assert "a.jsonl: 75.00% of what is read" in out
  assert "b.jsonl: 25.00% of what is read" in out


def test_mistakes_are_told(tmp_path, capsys):
  code, _, err = _list(capsys, "--data.corpus=/nowhere")
  assert code == 2 and "--data.corpus=/nowhere: no file found" in err
  code, _, err = _list(capsys, "--data.corpora=x")
  assert code == 2 and "did you mean --data.corpus?" in err
  assert cli.main(["list", "sizes", "--length=3"]) == 2
