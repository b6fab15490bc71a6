"""The whole report, in every state of an experiment."""

import re

import pytest
from html_page import strict
from json_files import edited

from lm_jax import report
from lm_jax.support.errors import UsageError

BAD = {"mlm-1": "failed", "rtd-0": "unfinished", "clm-1": ""}


def _written(root, name="report.md"):
  report.write(root)
  return (root / name).read_text()


def _files(root):
  paths = [p for p in root.rglob("*") if p.is_file()]
  return {str(path.relative_to(root)): path.read_bytes() for path in paths}


def test_writes_every_file_twice_the_same(experiment):
  root = experiment(bad=BAD)
  report.write(root)
  first = _files(root)
  stems = ("curves_flops", "curves_tokens", "differences", "validation_loss")
  for stem in stems:
    assert first[f"figures/{stem}.png"].startswith(b"\x89PNG")
    assert b"</svg>" in first[f"figures/{stem}.svg"]
  report.write(root)
  assert _files(root) == first  # and no temporary file is left


def test_page_is_self_contained_and_escaped(experiment):
  root = experiment(bad=BAD, seeds=2)
  with edited(root / "experiment.json") as about:
    about["question"] = "<img src=x onerror=y>?"
  page = strict(_written(root, "report.html"))
  assert len(page.all("svg")) == 4
  assert "<script>alert('x')</script>" in page.text  # as text
  assert "<img src=x onerror=y>" in page.text
  assert "\x1b" not in page.text


def test_markdown_keeps_errors_inside_their_cells(experiment):
  text = _written(experiment(bad=BAD))
  assert "<script>" not in re.sub(r"(?s)`{3,}.*?\n`{3,}\n", "", text)
  row = next(line for line in text.splitlines() if line.startswith("| mlm-1"))
  assert len(re.findall(r"(?<!\\)\|", row)) == 4
  assert "````text\nTraceback" in text  # the traceback holds a fence


@pytest.mark.parametrize(
  "options",
  [
    {"bad": BAD},
    {"seeds": 1},
    {"seeds": 5, "items": 50},
    {"arms": ("clm",)},
    {"seeds": 1, "arms": ("clm",), "bad": {"clm-0": ""}},
    {"bad": {"clm-0": "failed", "clm-1": "failed"}},
  ],
  ids=["partial", "one", "five", "arm", "nothing", "no-baseline"],
)
def test_terminal_table_fits_in_every_state(experiment, options):
  root = experiment(**options)
  text = report.table(root)
  assert max(map(len, text.splitlines())) <= 100
  assert "\x1b" not in text
  assert re.search(r"\d+ of \d+ runs? done", text)
  assert _written(root, "report.html")


def test_table_says_what_it_may_say(experiment):
  three = report.table(experiment(bad=BAD, seeds=3))
  flat = " ".join(three.split())
  assert "only large differences can be shown" in flat
  assert "Arms of fewer than 3 seeds have none" in flat
  assert "these checkpoints only" in flat
  assert "Holm's correction for 5 comparisons" in flat
  assert "above chance by more than its interval" in flat
  assert "= 1.9" in re.sub(r"(\d\.\d)\d\d", r"\1", flat)
  assert "mlm models the text better than clm" in flat
  assert "15 of 18 runs done, 1 not started, 1 failed, 1 unfinished" in flat
  assert "targets predicted" in flat
  assert "own validation loss" not in flat


def test_one_seed_says_that_there_is_no_seed_interval(tmp_path, experiment):
  text = " ".join(report.table(experiment(seeds=1)).split())
  assert "there is no seed interval" in text
  assert "No claim on objectives" in text


@pytest.mark.parametrize(
  ("seeds", "lines"), [(1, "One seed a line"), (2, "Thick lines are means")]
)
def test_captions_say_what_lines_are_drawn(experiment, seeds, lines):
  """Also of two seeds, which have a mean and no interval."""
  text = _written(experiment(seeds=seeds))
  captions = [x for x in text.splitlines() if "against FLOPs" in x]
  assert captions and all(lines in caption for caption in captions)


def test_losses_of_one_seed_are_described(tmp_path, experiment):
  """A difference without an interval, no empty figure, no word of items."""
  root = experiment(seeds=1, arms=("clm", "mlm"))
  for path in root.glob("runs/*/result.json"):
    with edited(path) as result:
      del result["items"]
  text = _written(root)
  [row] = [
    x for x in text.splitlines() if x.startswith("| mlm | ") and "no test" in x
  ]
  assert re.search(r"\| [−+]\d", row), row
  assert "No intervals and no tests" in text
  assert "over items" not in text.partition("How to read")[0]
  assert not (root / "figures/differences.png").exists()


def test_bad_input_is_a_usage_error(tmp_path):
  with pytest.raises(UsageError):
    report.write(tmp_path)
  assert not list(tmp_path.iterdir())
