"""Decision accuracy and curves of an experiment with planted scales."""

import json

import numpy as np
import pytest
from json_files import edited

from lm_jax.report import Report, collect, compare, scaling
from lm_jax.report.blocks import Table, Text

SIZES = ("nano", "tiny", "small", "base")
FLOPS = (1e10, 1e11, 1e12, 1e13)
# mlm begins behind clm and falls faster: 1e11 * 2^(1/0.1) FLOPs is 1e14.
LAWS = {"clm": (0.5, 1.0, 0.1), "mlm": (0.5, 1.1, 0.2), "rtd": (0.5, 2.0, 0.1)}


@pytest.fixture
def root(experiment):
  def make(sizes=SIZES, spread=0.002):
    root = experiment(arms=tuple(LAWS), seeds=3, items=8)
    rng = np.random.default_rng(0)
    with edited(root / "experiment.json") as about:
      about["runs"] = []
      for arm, (e, a, alpha) in LAWS.items():
        for size, flops in zip(sizes, FLOPS, strict=False):
          for seed in range(3):
            name = f"{arm}-{size}-{seed}"
            run = {"name": name, "arm": f"{arm}-{size}", "seed": seed}
            about["runs"].append(run)
            folder = root / "runs" / name
            folder.mkdir()
            # A learning rate for each size is part of the scale.
            settings = {"objective": arm, "size": size, "rate": flops}
            (folder / "config.json").write_text(json.dumps(settings))
            loss = e + a * (flops / 3.2e11) ** -alpha
            loss += spread * rng.normal()
            result = {"status": "done", "ledger": {"flops": flops}}
            result["metrics"] = {"bits_per_byte": loss, "minimal_pairs": 0.6}
            (folder / "result.json").write_text(json.dumps(result))
      about["baseline"] = "clm-nano"
    return root

  return make


def test_runs_are_sorted_by_kind_and_scale(root):
  known = scaling.grid(collect.load(root()))
  assert known.scales == SIZES and known.flops == FLOPS
  assert list(known.runs) == ["clm", "mlm", "rtd"]
  assert all(len(by["tiny"]) == 3 for by in known.runs.values())


def test_the_tables_tell_accuracy_exponents_and_crossing(root):
  path = root()
  analysis = compare.analyse(collect.load(path))
  decided, _, fits, _, crossings = scaling.blocks(analysis)
  assert isinstance(decided, Table) and isinstance(fits, Table)
  cells = {
    row[0]: dict(zip(decided.head, row, strict=True)) for row in decided.rows
  }
  bits = cells["bits per byte"]
  # clm and mlm turn between the smallest and the largest scale: 2 of 3 pairs.
  assert bits["nano → base"].startswith("66.7")
  assert bits["nano → tiny"].startswith("100.0")
  assert cells["minimal pairs"]["nano → base"].startswith("50.0")
  for row in fits.rows:
    alpha = LAWS[row[0]][2]
    low, high = map(float, row[3].split("[")[1].strip("]").split(", "))
    assert low <= alpha <= high
  assert isinstance(crossings, Text)
  assert "clm and mlm cross at" in crossings.text
  assert "before that clm is ahead" in crossings.text
  assert "clm and rtd do not cross within the range: clm is ahead" in (
    crossings.text
  )
  Report.load(path).write()
  assert "## Across sizes and budgets" in (path / "report.md").read_text()


def test_two_scales_have_decisions_alone_and_one_has_nothing(root, experiment):
  path = root(sizes=SIZES[:2])
  blocks = scaling.blocks(compare.analyse(collect.load(path)))
  assert [type(block) for block in blocks] == [Table, Text]
  with edited(path / "experiment.json") as about:
    about["runs"] = [r for r in about["runs"] if "nano" in r["name"]]
  assert scaling.blocks(compare.analyse(collect.load(path))) == []
