"""The commands that README and docs/ print work as they are printed.

Here all of them are read and planned, in their order; that they run is a soak
test (tests/printed_soak_test.py), but for a chain of a few.
"""

import pathlib
import re
import sys

import pytest
from printed import DOCUMENTS, DOWNLOADED, README, ROOT, commands, made, read

from lm_jax import cli
from lm_jax.examples import collection, labelled, records
from lm_jax.support import registry
from lm_jax.tasks.base import DataTask, SupervisedTask, Task

COMMANDS = [c for path in DOCUMENTS for c in commands(path)]
LAUNCHED = [c for c in COMMANDS if c.launch]


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
  """A directory with what docs/example_data.py writes."""
  sys.path.append(str(ROOT / "docs"))
  import example_data

  folder = tmp_path_factory.mktemp("examples")
  example_data.main(str(folder))
  return folder


def test_there_are_commands():
  assert {"train", "import", "export", "compare", "evaluate"} <= {
    c.command for c in commands(README)
  }
  assert len(LAUNCHED) > 60


@pytest.mark.parametrize(
  "command", sorted({c.command for c in LAUNCHED} - {"list"})
)
def test_their_flags_are_known(command, capsys):
  assert cli.main([command, "--help"]) == 0
  known = re.findall(r"--([\w.]+)", capsys.readouterr().out)
  for printed in LAUNCHED:
    if printed.command == command:
      flags = [w[2:].partition("=")[0] for w in printed.flags if w[:2] == "--"]
      assert set(flags) <= set(known), printed


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_command_reads_is_there_by_then(path, examples):
  """Data of the example, models that are downloaded, or what came before."""
  there = set(DOWNLOADED)
  if path != README:  # as README says
    there |= {"runs/mlm", "runs/clm"}
  for printed in commands(path):
    for name in read(printed):
      known = name in there or any(name.startswith(f"{d}/") for d in there)
      if not known and name != "-":
        stem = examples / name
        known = any(stem.parent.glob(stem.name)) or any(
          stem.parent.glob(f"{stem.name}_*")
        )
      known = known or any(
        (examples / f"{name}{end}").exists()
        for end in (".jsonl", "_test.jsonl", "_docs.jsonl")
      )
      assert known or name == "-", f"{printed}: {name} is not there"
    there |= set(made(printed))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_no_two_commands_share_a_directory(path):
  owners = {}
  for printed in commands(path):
    for name in made(printed):
      if printed.partial or printed.command == "report":
        continue
      other = owners.setdefault(name, printed)
      assert other is printed, f"{printed}: {name} is that of {other}"


def test_what_is_not_printed_as_a_command_is_none():
  """Nothing that a shell would read in another way."""
  for printed in COMMANDS:
    text = " ".join(printed.words)
    assert not re.search(r"\w\|\w|\[--|\bDIR\b|MINILM", text), printed


def test_readme_says_where_example_data_come_from(examples):
  first = [c for c in commands(README) if not c.launch]
  assert ("python", "docs/example_data.py") in [c.words for c in first]
  for name in ("books", "news", "data/sst2", "report.txt", "data/blimp.jsonl"):
    assert pathlib.Path(examples, name).exists()


def _tasks(printed):
  """(task, place) of the local data that a command names."""
  for text in printed.values("task_data"):
    name, equals, place = text.partition("=")
    if not equals:
      name, place = printed.value("task"), text
    yield name, place


@pytest.mark.parametrize(
  ("name", "place"),
  sorted({pair for c in LAUNCHED for pair in _tasks(c)}),
)
def test_example_data_are_what_their_task_reads(
  name, place, examples, monkeypatch
):
  monkeypatch.chdir(examples)
  task = registry.find("lm_jax.tasks", name, Task, "--tasks")()
  if isinstance(task, DataTask) and not isinstance(task, SupervisedTask):
    task.place = place
    found = task.collection(place) if hasattr(task, "collection") else None
    if found is None:
      found = list(records.read(place, task.flag))
    assert found
    return
  for split in (labelled.TRAIN, labelled.TEST):
    assert len(task.examples(split, place)) >= 10


def test_example_collections_are_read(examples, monkeypatch):
  monkeypatch.chdir(examples)
  for printed in LAUNCHED:
    for place in printed.values("collection"):
      found = collection.read(place, "--collection")
      assert found.judged
      assert set(found.judged) == set(found.queries)
