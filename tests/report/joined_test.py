"""Experiments that are joined: arms, runs, measures and what is said."""

import dataclasses
import json

import numpy as np
import pytest

from lm_jax.report import Report, collect, joined, joined_page, joined_parts
from lm_jax.report.joined_parts import Part

SAME = {"data.corpus": "c" * 64, "data.tokenizer": "t" * 64}


@pytest.fixture
def part(experiment, tmp_path):
  """Writes and reads an experiment as a part; options as `experiment`."""

  def make(name, configurations=None, data=SAME, **options):
    root = experiment(**options).rename(tmp_path / name)
    read = collect.load(root)
    own = configurations or {}
    return Part(
      dataclasses.replace(read, name=name),
      {run.name: own.get(run.arm, run.arm) for run in read.runs},
      {run.name: data for run in read.runs},
    )

  return make


def changed(part, change, *arms):
  """A part whose runs (of some arms) were changed."""
  runs = tuple(
    change(run) if not arms or run.arm in arms else run
    for run in part.experiment.runs
  )
  return dataclasses.replace(
    part, experiment=dataclasses.replace(part.experiment, runs=runs)
  )


def join(tmp_path, *parts):
  return joined.join(parts, tmp_path / "page", "the command")


def cells(experiment):
  return sorted((run.arm, run.seed) for run in experiment.runs)


def test_other_arms_join_and_the_first_baseline_is_that_of_all(part, tmp_path):
  first = part("a", arms=("mlm", "clm"), items=40)
  second = part("b", arms=("rtd", "prefix_lm"), items=40)
  both = join(tmp_path, first, second)
  assert both.baseline == "mlm"
  assert both.arms == ("mlm", "clm", "rtd", "prefix_lm")
  assert len(both.runs) == 8 and both.directory == tmp_path / "page"
  assert {run.folder.parents[1].name for run in both.runs} == {"a", "b"}
  page = " ".join(both.notes)
  assert "made apart" in page and "exploratory" in page
  assert "left out" not in page


def test_equal_arms_are_pooled_and_equal_runs_count_once(part, tmp_path):
  bad = {"clm-1": "failed"}
  first = part("a", arms=("clm", "mlm"), seeds=2, items=40, bad=bad)
  second = part("b", arms=("clm",), seeds=3, items=40)
  both = join(tmp_path, first, second)
  wanted = [("clm", 0), ("clm", 1), ("clm", 2), ("mlm", 0), ("mlm", 1)]
  assert cells(both) == wanted
  runs = {(run.arm, run.seed): run for run in both.runs}
  # Of two that are done the first counts; one that failed makes room.
  assert [runs["clm", seed].folder.parents[1].name for seed in range(3)] == [
    "a", "b", "b",
  ]  # fmt: skip
  assert all(run.done for run in both.runs)
  names = [run.name for run in both.runs]
  assert len(set(names)) == len(names)
  assert any("whose 3 runs join it" in note for note in both.notes)
  assert any("clm-0 of b: the same parameters" in n for n in both.notes)

  def other(run):
    return dataclasses.replace(run, raw=run.raw | {"digest": "another"})

  both = join(tmp_path, first, changed(second, other))
  assert cells(both) == wanted
  assert any("with other parameters" in note for note in both.notes)


@pytest.mark.parametrize(
  ("options", "why", "again"),
  [
    (
      {"configurations": {"clm": "x"}},
      "another configuration (budget)",
      "clm (b)",
    ),
    ({"configurations": {"clm": ""}}, "configuration is not known", "clm (c)"),
    (
      {"data": SAME | {"data.tokenizer": "u"}},
      "has another content",
      "clm (b)",
    ),
  ],
)
def test_one_name_of_two_arms_gets_a_suffix(
  part, tmp_path, options, why, again
):
  def with_budget(text):
    return lambda run: dataclasses.replace(
      run, settings={"objective": "clm", "budget": text}
    )

  first = changed(part("a", arms=("clm",), items=40), with_budget("steps:1"))
  second = part("b", arms=("clm",), items=40, **options)
  second = changed(second, with_budget("steps:2"))
  both = join(tmp_path, first, second)
  assert both.arms == ("clm", "clm (b)")
  assert len(both.runs) == 4
  assert len({run.name for run in both.runs}) == 4
  [note] = [note for note in both.notes if "clm of b is clm (b)" in note]
  assert why in note
  # A third with the same arm as the second joins that, if that is known.
  third = part("c", arms=("clm",), seeds=3, items=40, **options)
  third = changed(third, with_budget("steps:2"))
  three = join(tmp_path, first, second, third)
  assert three.arms == tuple(dict.fromkeys(("clm", "clm (b)", again)))
  assert len(three.runs_of(again)) == 3


def test_one_configuration_of_two_names_is_told(part, tmp_path):
  first = part("a", arms=("clm",), items=40)
  second = part("b", {"mlm": "clm"}, arms=("mlm",), items=40)
  both = join(tmp_path, first, second)
  assert "mlm of b has the configuration of clm, under another name." in (
    both.notes
  )


def measured(both, arm):
  return set(both.runs_of(arm)[0].metrics)


TOKENS = {"bits_per_byte", "validation_loss"}


@pytest.mark.parametrize(
  ("options", "gone", "why"),
  [
    ({"items": 30}, {"minimal_pairs"}, "30 items, and there 40"),
    ({"data": SAME | {"data.tokenizer": "u" * 64}}, TOKENS, "the tokenizer is"),
    ({"data": SAME | {"data.corpus": "d" * 64}}, None, "the held-out text is"),
  ],
)
def test_measures_that_do_not_compare_are_left_out(
  part, tmp_path, options, gone, why
):
  first = part("a", arms=("clm",), items=40)
  other = {"items": 40, "arms": ("prefix_lm",)} | options
  second = part("b", **other)
  both = join(tmp_path, first, second)
  whole = set(second.experiment.runs[0].metrics)
  left = measured(both, "prefix_lm")
  assert whole - left == (whole if gone is None else gone)
  assert measured(both, "clm") == whole  # the first keeps its own
  for run in both.runs_of("prefix_lm"):
    assert set(run.items) <= left
    logged = {name for row in run.history for name in row}
    assert not logged & (whole - left)
  notes = [note for note in both.notes if "left out" in note]
  assert len(notes) == 1 and why in notes[0] and notes[0].startswith("b: ")
  Report(both).text()  # what is left can be told


def test_a_smaller_corpus_has_the_same_held_out_text(part, tmp_path):
  def of(unique):
    settings = {"data.corpus": "sotu", "data.unique": unique}
    return lambda run: dataclasses.replace(run, settings=settings)

  first = changed(part("a", arms=("clm",), items=40), of(""))
  data = SAME | {"data.corpus": "d" * 64}
  second = part("b", arms=("mlm",), items=40, data=data)
  both = join(tmp_path, first, changed(second, of("tokens:1e5")))
  assert not any("left out" in note for note in both.notes)
  both = join(tmp_path, first, changed(second, of("")))
  assert any("left out" in note for note in both.notes)


def test_data_without_a_fingerprint_are_told_by_their_settings(part, tmp_path):
  def of(corpus):
    return lambda run: dataclasses.replace(
      run, settings={"data.corpus": corpus}
    )

  first = changed(part("a", arms=("clm",), items=40), of("sotu"))
  second = part("b", arms=("mlm",), items=40, data={})
  both = join(tmp_path, first, changed(second, of("sotu")))
  assert not any("left out" in note for note in both.notes)
  both = join(tmp_path, first, changed(second, of("books")))
  [note] = [note for note in both.notes if "left out" in note]
  assert "data.corpus books, and there sotu" in note


def test_the_page_says_in_what_the_experiments_differ(part, tmp_path):
  first = part("a", arms=("clm", "mlm"), items=40)
  second = part("b", arms=("rtd",), items=40)
  about = second.experiment.about | {
    "date": "2027-01-01",
    "versions": {"jax": "0.11", "python": "3.11.9"},
    "trials": {"rtd": 5},
    "differs": ["flops"],
  }
  second = dataclasses.replace(
    second, experiment=dataclasses.replace(second.experiment, about=about)
  )
  second = changed(
    second,
    lambda run: dataclasses.replace(run, raw=run.raw | {"commit": "abc"}),
  )
  both = join(tmp_path, first, second)
  table, text = joined_page.blocks(both)
  rows = {row[0]: row[1:] for row in table.rows}
  assert table.head == ("field", "a", "b")
  assert rows["date"] == ("2026-11-23", "2027-01-01")
  assert rows["version of jax"] == ("0.10.2", "0.11")
  assert rows["commit"] == ("–", "abc")
  assert "version of python" not in rows and "version of python" in text.text
  assert both.about["trials"] == {"rtd": 5}
  assert both.about["differs"] == ["flops"]
  assert "versions" not in both.about
  assert both.about["command"] == "the command"
  assert json.loads(json.dumps(both.about)) == both.about
  assert joined_page.blocks(first.experiment) == []
  (tmp_path / "page").mkdir()
  Report(both).write()
  page = (tmp_path / "page" / "report.md").read_text()
  assert "What differs between the experiments" in page
  assert np.all([arm in page for arm in ("clm", "mlm", "rtd")])


def test_labels_are_told_apart(part):
  first, second = part("a", arms=("clm",)), part("b", arms=("clm",))
  experiments = [
    dataclasses.replace(one.experiment, name="compare")
    for one in (first, second)
  ]
  assert joined_parts.labels(experiments) == ["a", "b"]
  assert joined_parts.labels(experiments[:1] * 2) == ["compare 1", "compare 2"]
  evil = dataclasses.replace(experiments[0], name="x\n\x1b[31m" + "y" * 99)
  label = joined_parts.labels([experiments[1], evil])[1]
  assert label.isprintable() and len(label) <= 40
