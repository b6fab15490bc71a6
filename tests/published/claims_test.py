"""The registry is complete, and the page says what it says."""

import pathlib

import pytest

from lm_jax import config as config_lib
from lm_jax import experiments
from lm_jax.commands import compare
from lm_jax.published import files, outcome, page
from lm_jax.published.claim import Computed, Order
from lm_jax.report import metrics
from lm_jax.runs import grid
from lm_jax.support import registry
from lm_jax.support.errors import UsageError

ROOT = pathlib.Path(__file__).parents[2]
NAMES = list(files.paths())
WITH_ARMS = [name for name in NAMES if files.load(name).has_arms]


def test_what_has_to_be_there_is():
  asked = (
    "nanogpt_cpu nanogpt_gpu electra_small electra_flops electra_ablation"
    " bert_nsp roberta_nsp xlnet_ablation t5_architectures t5_objectives"
    " t5_corruption wang_zero_shot wang_finetuned ul2_mixture babylm_ratio"
    " masking_forty clm_then_mlm spanbert_spans albert_sop babylm_gpt2_blimp"
  )
  assert set(asked.split()) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_claim_says_all_of_it(name):
  file = files.load(name)
  claim = file.claim
  docstring = experiments.import_file(file.path).__doc__
  assert f"\nCommand: python launch.py reproduce {name}" in docstring
  assert "\nCost: " in docstring and "\nExpected: " in docstring
  assert claim.statement.endswith(".")
  paper = claim.paper
  assert paper.title and paper.authors and 1990 < paper.year < 2030
  assert paper.source.startswith(("arXiv:", "github.com/"))
  assert claim.table and claim.data and claim.checked and claim.parts
  for part in claim.parts:
    assert part.label and part.published
  for scale in filter(None, (claim.full, claim.small)):
    assert scale.hardware and scale.hours > 0
    orders = [p for p in claim.parts if isinstance(p, Order)]
    assert scale.smallest_effect > 0 or not orders
    assert scale.measure or all(isinstance(p, Computed) for p in claim.parts)
  if claim.small is not None:
    assert claim.small.differs and claim.small.caution
    assert claim.small.hours < 1


@pytest.mark.parametrize("name", WITH_ARMS)
def test_a_claim_s_arms_can_be_built_at_both_scales(name):
  file = files.load(name)
  module = experiments.load(file.path)
  claim = file.claim
  for size in ("small", "full"):
    scale = claim.scale(size)
    assert set(scale.settings) <= set(compare.schema())
    common = dict(scale.settings)
    if scale.impossible:
      continue
    configs = grid.cross(module.runs(), {}, 1, common)
    arms = {config.arm for config in configs}
    assert module.BASELINE in arms
    for config in configs:
      config_lib.build(config)
    for part in claim.parts:
      names = (part.better, part.worse) if isinstance(part, Order) else ()
      assert set(names) <= arms
      if not scale.tasks:
        assert (part.measure or scale.measure) in metrics.METRICS or (
          metrics.split(part.measure)[1]
        )
    valid = registry.names("lm_jax.tasks")
    assert set(scale.tasks) <= set(valid)


def test_a_file_without_a_claim_is_told(tmp_path):
  path = tmp_path / "mine.py"
  path.write_text('"""Mine."""\n')
  with pytest.raises(UsageError, match=r"mine\.py has no CLAIM = Claim"):
    files.load(str(path))
  with pytest.raises(UsageError, match="did you mean nanogpt_cpu"):
    files.load("nanogpt_cp")


def test_the_page_is_what_claims_and_kept_outcomes_make():
  claims = {name: files.load(name).claim for name in NAMES}
  path = ROOT / "docs/published.md"
  known = outcome.read(path.with_suffix(".json"))
  assert path.read_text() == page.text(claims, known)
  # An outcome is of the claim as its file has it now.
  for one in known.values():
    said = [(part.label, part.published) for part in one.parts]
    parts = claims[one.name].parts
    assert said in ([], [(part.label, part.published) for part in parts])


def test_the_page_keeps_what_was_run(tmp_path):
  path = tmp_path / "page.md"
  ran = outcome.Outcome(
    "electra_flops",
    "full",
    "reproduced",
    [outcome.Part("a | b", "1", "reproduced", 1.0)],
    date="2026-11-30T00:00:00",
  )
  page.write(path, [ran])
  again = outcome.Outcome("electra_flops", "full", "not run here", why="x")
  small = outcome.Outcome("bert_nsp", "scaled down", "not run here", why="y")
  page.write(path, [again, small])
  text = path.read_text()
  assert "a \\| b" in text and "2026-11-30" in text
  assert "**Not run here, scaled down**: y." in text
  known = outcome.read(path.with_suffix(".json"))
  assert known[ran.key] == ran
  assert known[small.key].why == "y"
