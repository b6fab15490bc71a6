"""Every command of README and docs/ is run, in its order, in a fresh directory.

As printed but for budgets, sizes and numbers of items; models that a user
downloads are tiny random ones of their families.
"""

import contextlib
import io
import pathlib
import re
import shutil
import sys
import time

import foreign_directories
import pytest
from printed import DOCUMENTS, DOWNLOADED, README, ROOT, commands, files, made

from lm_jax import cli
from lm_jax.commands import train
from lm_jax.runs import measure
from lm_jax.tasks import minimal_pairs
from lm_jax.tasks.base import Measure

pytestmark = pytest.mark.soak

# Positions for rows of 128 tokens and more, as the published ones have.
LONG = {"bert": "max_position_embeddings", "gpt2": "n_positions"}
LONG |= {"llama": "max_position_embeddings"}
LONG |= {"m2m_100": "max_position_embeddings"}
# A document's own beginnings, by what README leaves.
FIRST = ("runs/mlm", "runs/clm")


def shortened(printed):
  """The words of a command, of a run that takes seconds."""
  words, command = list(printed.words), printed.command
  if printed.words[:1] != (command,):
    words.insert(0, command)

  def put(name, value, only_new=False):
    old = [w for w in words if w.startswith(f"--{name}=")]
    if not (old and only_new):
      words[:] = [w for w in words if w not in old] + [f"--{name}={value}"]

  if command in ("train", "finetune", "compare"):
    words = [w for w in words if not w.startswith("--epochs=")]
    put("budget", "steps:2")
    put("eval_every", 1000)
    if printed.value("branches").partition(":")[0] == "steps":
      put("budget", "steps:16")
      put("branches", "steps:8")
    if "eval" in train.schema() and command != "finetune":
      put("eval", "none")
  preset, model = printed.value("trunk.preset"), printed.value("model")
  if command == "train" and not model and not preset:
    put("size", "nano")
    put("trunk.layers", 1)
  fresh = command in ("train", "compare") or printed.value("task") == "multi30k"
  # Its labels and its characters are those of its own corpus.
  chinese = printed.value("experiment").endswith("_zh")
  if fresh and not model and not chinese:
    put("data.vocabulary_size", 600)
    if command != "finetune":
      put("data.corpus", "books/*.jsonl.gz", only_new=True)
  if command == "compare":
    put("seeds", 1)
    if not printed.values("experiment"):
      put("objectives", "clm,mlm", only_new=True)
  if command == "finetune" and printed.values("models"):
    put("seeds", 1)
  if printed.value("mask"):
    put("mask", "z")  # which the tiny vocabulary has
  if command == "evaluate":
    put("limit", 4)
    put("draws", 1)
    if printed.values("samples"):
      put("samples", 2)
  if command in ("generate", "chat"):
    put("max_new_tokens", 4)
  if command == "doctor":
    put("size", "nano")
  return words


def run(printed):
  """Runs a command in this process; returns what it printed."""
  words = shortened(printed)
  given = b""
  if printed.stdin:
    given = pathlib.Path(printed.stdin).read_bytes()
  out, before, start = io.StringIO(), sys.stdin, time.monotonic()
  sys.stdin = io.TextIOWrapper(io.BytesIO(given))
  try:
    with contextlib.redirect_stdout(out):
      code = cli.main(words)
  finally:
    sys.stdin = before
  print(f"{time.monotonic() - start:6.1f} s  {printed}", file=sys.stderr)
  assert code == 0, f"{printed}: {code}"
  if printed.stdout:
    pathlib.Path(printed.stdout).write_text(out.getvalue())
  return out.getvalue()


@pytest.fixture(scope="module", autouse=True)
def few_items():
  """What each run measures at its end is not what is tested here."""
  patch = pytest.MonkeyPatch()
  patch.setattr(minimal_pairs, "PAIRS", 6)
  patch.setattr(minimal_pairs, "QUICK_PAIRS", 3)
  if "eval" not in train.schema():
    patch.setattr(measure, "evaluate", lambda *_, **__: Measure())
  yield
  patch.undo()


@pytest.fixture(scope="module")
def beginning(tmp_path_factory):
  """What each document begins with: data, downloads, runs/mlm, runs/clm."""
  sys.path.append(str(ROOT / "docs"))
  import example_data

  folder = tmp_path_factory.mktemp("beginning")
  example_data.main(str(folder))
  for name, family in DOWNLOADED.items():
    changes = {LONG[family]: 512}
    architecture = "BertModel" if "MiniLM" in name else ""
    foreign_directories.build(family, folder / name, architecture, **changes)
  return folder


@pytest.fixture(scope="module")
def runs(beginning):
  """The first runs of README, made once."""
  with contextlib.chdir(beginning):
    for printed in commands(README):
      if printed.launch and set(made(printed)) & set(FIRST):
        run(printed)
  return beginning


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_runs_in_its_order(path, runs, tmp_path, monkeypatch):
  shutil.copytree(runs, tmp_path, dirs_exist_ok=True)
  monkeypatch.chdir(tmp_path)
  for name, code in files(path).items():
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(code)
  wrong = []
  for printed in commands(path):
    if not printed.launch or printed.partial:
      continue
    try:
      out = run(printed)
    except (AssertionError, Exception) as error:
      wrong.append(f"{printed}: {type(error).__name__}: {error}")
      print(wrong[-1], file=sys.stderr)
      continue
    for name in made(printed):
      assert pathlib.Path(name).exists(), f"{printed}: made no {name}"
    # Tiny random models have tokenizers by which every text is long.
    lost = re.findall(r"(\d+) % of the shots did not fit", out)
    if (
      printed.value("model").startswith("runs/")
      and max(map(int, lost), default=0) > 5
    ):
      wrong.append(f"{printed}: loses shots: {out}")
  assert not wrong, "\n".join(wrong)
