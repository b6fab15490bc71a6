"""A model that several objectives trained is shown with the scores of all."""

import pytest
from json_files import edited

from lm_jax import report
from lm_jax.report import collect, compare, metrics, phases
from lm_jax.report.blocks import Table

KINDS = {"clm": "log_likelihood", "mlm": "pseudo_log_likelihood"}


@pytest.fixture
def phased(experiment):
  """The arm "mlm" was trained by clm before; "clm" by itself."""
  root = experiment(arms=("clm", "mlm"), seeds=3)
  for seed in range(3):
    with edited(root / "runs" / f"mlm-{seed}" / "result.json") as result:
      result["objectives"] = KINDS
      known = result["metrics"]
      for name in ("bits_per_byte", "bits_per_byte_bound"):
        known.pop(name, None)
      known["minimal_pairs.clm"] = 0.7 + 0.01 * seed
      known["minimal_pairs/swap.clm"] = 0.1
      known["bits_per_byte.clm"] = 2.5
      known["bits_per_byte_bound"] = 3.5
  return root


def test_the_table_has_a_row_for_each_objective(phased):
  analysis = compare.analyse(collect.load(phased))
  table, _ = phases.by_objective(analysis)
  assert isinstance(table, Table)
  head = ("arm", "by", "score", "minimal pairs, %", "bits per byte")
  assert table.head == head
  first, last = table.rows
  assert first[:3] == ("mlm", "clm", "log likelihood")
  assert first[3].startswith("71.0 [") and first[4] == "= 2.500"
  assert last[:3] == ("mlm", "mlm", "pseudo log likelihood")
  own = analysis.arm("mlm").metrics["minimal_pairs"].value
  assert last[3].startswith(f"{100 * own:.1f}") and last[4] == "≤ 3.500"
  assert "By each objective that trained it" in _page(phased)


def test_other_scores_enter_no_other_table(phased):
  """The tested metric and the yardsticks are those of the last objective."""
  analysis = compare.analyse(collect.load(phased))
  assert analysis.metric == "minimal_pairs"
  assert not [n for n in analysis.arm("mlm").metrics if n.endswith(".clm")]


def test_without_phases_there_is_no_table(experiment):
  root = experiment(arms=("clm", "mlm"), seeds=3)
  assert phases.by_objective(compare.analyse(collect.load(root))) == []
  assert "By each objective" not in _page(root)


@pytest.mark.parametrize(
  ("name", "parts"),
  [
    ("minimal_pairs.clm", ("minimal_pairs", "clm")),
    ("minimal_pairs/swap.mlm_nsp", ("minimal_pairs/swap", "mlm_nsp")),
    ("minimal_pairs", ("minimal_pairs", "")),
    ("another.clm", ("another.clm", "")),
  ],
)
def test_names_have_the_objective_at_their_end(name, parts):
  assert metrics.split(name) == parts
  if parts[1]:
    assert metrics.by(*parts) == name
    assert metrics.get(name).unit == "%"


def _page(root):
  report.write(root)
  return (root / "report.md").read_text()
