import dataclasses
import json
import pathlib

import pytest
import run_directories

from lm_jax import cli
from lm_jax.commands import runs as runs_command
from lm_jax.runs import joining


@pytest.fixture(autouse=True)
def experiments(tmp_path, monkeypatch):
  """Runs where two experiments are, of one arm in common."""
  monkeypatch.chdir(tmp_path)
  run_directories.experiment(pathlib.Path("a"), {"clm": "done", "mlm": "done"})
  run_directories.experiment(pathlib.Path("b"), {"clm": "done", "rtd": "done"})


def call(capsys, *words, code=0):
  assert cli.main(["report", *words]) == code
  out, err = capsys.readouterr()
  if not code:
    return out
  assert err.startswith("lm_jax: ") and err.count("\n") == 1
  return err


def files(root):
  return {
    str(path): path.read_bytes()
    for path in pathlib.Path(root).rglob("*")
    if path.is_file()
  }


def test_a_page_of_its_own_is_written_and_again(capsys, tmp_path):
  before = files("b")
  out = call(capsys, "--workdir=a", "--with=b")
  assert out.endswith("a/with-b/report.html\n")
  assert "clm-seed0 of b: the same parameters" in " ".join(out.split())
  assert not pathlib.Path("a/report.html").exists()
  assert files("b") == before
  page = pathlib.Path("a/with-b/report.html").read_text()
  rows = pathlib.Path("a/with-b/results.csv").read_text().splitlines()
  assert len(rows) == 4
  call(capsys, "--workdir=a", "--with=b")
  assert pathlib.Path("a/with-b/report.html").read_text() == page
  # The page's directory alone says what it is on, wherever all of it stands.
  (tmp_path / "moved").mkdir()
  for name in "ab":
    pathlib.Path(name).rename(tmp_path / "moved" / name)
  csv = call(capsys, "--workdir=moved/a/with-b", "--format=csv")
  assert csv.startswith("arm,")
  entries = {"a", "a/with-b", "b"}
  cli.main(["runs", "--workdir=moved", "--format=json"])
  listed = {one["name"] for one in json.loads(capsys.readouterr().out)}
  assert listed == entries
  assert runs_command.Flags().workdir == "runs"


@pytest.mark.parametrize(
  ("words", "message"),
  [
    (["--with="], "--with=: must name directories"),
    (["--with=c"], "--with=c: holds no experiment"),
    (["--with=a/runs/clm-seed0"], "holds no experiment"),
    (["--with=./a"], "--with=./a: is the same as a"),
    (["--with=b,link"], "--with=link: is the same as b"),
    (["--to=x"], "--with=: must name directories"),
    (["--with=b", "--to=a"], "--to: a is not empty and holds no page"),
    (["--with=b", "--to=file"], "is not a directory"),
    (["--with=b", "--to=page"], "page holds the page of other experiments"),
    (["--with=b", "--baseline=x"], "--with: is of experiments"),
    (["--with=bad"], "bad/experiment.json: "),
  ],
)
def test_bad_usage_writes_nothing(capsys, words, message):
  pathlib.Path("link").symlink_to("b")
  pathlib.Path("file").touch()
  pathlib.Path("bad").mkdir()
  pathlib.Path("bad/experiment.json").write_text("{")
  pathlib.Path("page").mkdir()
  pathlib.Path("page/joined.json").write_text('{"experiments": ["x", "y"]}')
  before = files(".")
  assert message in call(capsys, "--workdir=a", *words, code=2)
  assert files(".") == before


def test_configurations_are_compared_whatever_the_seed_and_the_branches():
  pathlib.Path("c").mkdir()
  for number, options in enumerate(
    [
      {},
      {"seed": 5, "seeds": {"order": 7}},
      {"name": "x", "workdir": "y"},
      {"batch_size": 64},
    ]
  ):
    run_directories.run(pathlib.Path("c", str(number)), **options)
  known = []
  for number in range(4):
    folder = pathlib.Path("c", str(number))
    one = dataclasses.replace(
      joining.collect.load("a").runs[0], folder=folder.absolute()
    )
    known.append(joining._configuration(one))
  assert known[0] == known[1] == known[2] != known[3]
  lost = dataclasses.replace(one, folder=pathlib.Path("nowhere"))
  assert joining._configuration(lost) == ""


@pytest.mark.parametrize(
  ("content", "known"),
  [
    ('{"meta": {"data": {"data.corpus": "x", "more": 1}}}', True),
    ('{"meta": {"data": ""}}', False),
    ('{"meta": []}', False),
    ("{", False),
  ],
)
def test_fingerprints_are_read_where_they_are(content, known):
  for step in ("9", "12", "trash"):
    folder = pathlib.Path("run", "checkpoints", step, "meta")
    folder.mkdir(parents=True)
    text = content if step == "12" else '{"meta": {"data": {}}}'
    (folder / "metadata").write_text(text)
  wanted = {"data.corpus": "x"} if known else {}
  assert joining._data(pathlib.Path("run")) == wanted
  assert joining._data(pathlib.Path("nothing")) == {}
