"""BLiMP's phenomena and paradigms: how they are drawn, and how shown."""

import collections
import json
import types

import numpy as np
import pytest

from lm_jax.evaluation import formats, parts, report, results, text
from lm_jax.examples import records
from lm_jax.report import blocks
from lm_jax.tasks.blimp import Blimp

# As many as BLiMP has: 67 paradigms of 13 phenomena of 5 fields.
PARADIGMS = [
  (f"uid{i:02}", f"term{i % 13}", f"field{i % 5}") for i in range(67)
]


class Model:
  """Prefers the first of each pair in the first half of the paradigms."""

  scoring = "log_likelihood"

  def text_scores(self, texts):
    return np.array([float(t.startswith("good")) for t in texts])


def measured(tmp_path, pairs, limit=0, seed=0):
  path = tmp_path / "blimp.jsonl"
  lines = []
  for uid, term, field in PARADIGMS:
    for number in range(pairs):
      own = {"uid": uid, "term": term, "field": field, "pair_id": number}
      good, bad = f"good {uid} {number}", f"bad {uid} {number}"
      if number % 2:
        good, bad = f"x{bad}", good
      lines.append(json.dumps(own | {"good": good, "bad": bad}))
  path.write_text("\n".join(lines))
  task = Blimp()
  task.place, task.limit, task.seed = str(path), limit, seed
  found = task.measure(Model(), None)
  return results.of_measure("blimp", found, results.OWN, "log_likelihood")


def paradigms(outcome):
  ids = [p["id"].partition("/")[0] for p in outcome.predictions]
  return collections.Counter(ids)


@pytest.mark.parametrize("limit", [1, 67, 100, 200])
def test_a_limit_takes_as_many_of_each_paradigm(tmp_path, limit):
  found = measured(tmp_path, 4, limit)
  counts = paradigms(found)
  assert sum(counts.values()) == limit
  least = min(counts.get(uid, 0) for uid, _, _ in PARADIGMS)
  assert max(counts.values()) <= least + 1
  other = measured(tmp_path, 4, limit, seed=1)
  assert found.predictions != other.predictions
  assert found == measured(tmp_path, 4, limit)
  # In the order of the file, as without a limit.
  everything = [p["id"] for p in measured(tmp_path, 4).predictions]
  chosen = [p["id"] for p in found.predictions]
  assert chosen == [name for name in everything if name in set(chosen)]


def test_a_small_group_gives_what_it_has():
  items = ["a"] * 2 + ["b"] * 9
  drawn = records.balanced(items, 7, 0, lambda item: item)
  assert collections.Counter(drawn) == {"a": 2, "b": 5}
  assert records.balanced(items, 0, 0, str) == items
  assert records.balanced(items, 11, 0, str) == items


def test_one_table_of_phenomena_with_the_mean(tmp_path):
  outcome = measured(tmp_path, 20)
  lines = text.body(outcome.rows)
  assert len(lines) == 17  # the mean, two lines, a head, 13 phenomena
  assert lines[0].split()[:2] == ["blimp", "50.0"]
  assert lines[1] == (
    "  by field: 5 of 260 to 280 items each, from 50.0 (field0) to 50.0"
    " (field4); see --format=csv"
  )
  assert lines[2].startswith("  by uid: 67 of 20 items each, from 50.0 (uid00)")
  assert lines[3] == "  by term:"
  assert lines[4].split()[:5] == ["term0", "120", "items", "50.0", "[41.2,"]
  # Each number says how many items it has.
  rows = {row.metric: row for row in outcome.rows}
  assert rows["blimp/uid/uid00"].items == 20
  assert rows["blimp/uid/uid00"].part == "uid"
  assert (rows["blimp"].items, rows["blimp"].part) == (1340, "")


def test_one_item_is_no_number(tmp_path):
  lines = text.body(measured(tmp_path, 4, limit=100).rows)
  few = "too few for numbers (20 at least)"
  by_term = next(line for line in lines if line.startswith("  by term: 13 of "))
  assert by_term.endswith(few)
  assert f"  by uid: 67 of 1 to 2 items each, {few}" in lines
  # Of fields there are enough of some.
  assert len(lines) <= 9


def test_a_page_shows_the_same(tmp_path):
  outcome = measured(tmp_path, 20)
  model = {"path": "runs/x", "objective": "clm", "architecture": "encoder"}
  model |= {"digest": "0f3a"}
  flags = {"task_data": {}, "seed": 0, "limit": 0}
  found = results.Evaluation(model, flags, {"lm_jax": "0"}, (outcome,))
  content = report.build(found, tmp_path, None)
  tables = [b for b in content if isinstance(b, blocks.Table)]
  assert [len(table.rows) for table in tables] == [1, 13]
  assert tables[1].head == ("term", "items", "value")
  assert tables[1].rows[0] == ("term0", "120", "50.0 [41.2, 58.8] %")
  said = [b.text for b in content if isinstance(b, blocks.Text)]
  assert any(line.startswith("blimp by uid: 67 of 20 items") for line in said)
  # All of them are in the table that programs read.
  assert formats.as_csv(found).count("blimp/uid/") == 67


def test_the_finest_level_that_fits_is_the_table():
  def rows(level, count, items):
    return tuple(
      results.Row("t", f"t/{level}/{i}", 0.5, items=items, part=level)
      for i in range(count)
    )

  levels = parts.by_level(
    [*rows("a", 3, 50), *rows("b", 9, 50), *rows("c", 9, 2)]
  )
  assert parts.table(levels).level == "b"
  assert parts.table(parts.by_level(rows("c", 9, 2))) is None
  assert parts.table(parts.by_level(rows("d", 21, 50))) is None
  mixed = parts.Parts("t", "a", rows("a", 1, 50) + rows("a", 2, 3))
  assert "but for 2 of fewer than 20: 50.0 (0)" in parts.line(mixed)
  shown = types.SimpleNamespace(items=3)
  assert parts.shown_value(shown) == "too few for a number (20 at least)"
